"""An artifact -> a folder that answers as measured without edgebench: the file, its labels and a predict.py."""
