"""Results -> one comparison. The only place that imports pandas and plotting, and only when files are written.

`write_report(folders, out)` writes the files, `print_table(results, console)` prints the same on a terminal,
`load_results(folders)` reads the records.
"""

from edgebench.report.content import Report, build_report
from edgebench.report.terminal import make_console, print_report, print_table
from edgebench.report.write import ReportPaths, read_report, write_files, write_report
from edgebench.results.load import load_results

__all__ = [
    "Report",
    "ReportPaths",
    "build_report",
    "load_results",
    "make_console",
    "print_report",
    "print_table",
    "read_report",
    "write_files",
    "write_report",
]
