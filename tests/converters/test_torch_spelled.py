"""What is traced in place of an operator that litert-torch has no working form for is that operator."""

import pytest

torch = pytest.importorskip("torch")
functional = torch.nn.functional
Spelled = pytest.importorskip("edgebench.converters.torch_export.tflite").Spelled


def test_patches_side_by_side_are_cut_and_put_together_as_torch_does():
    image = torch.randn((1, 3, 8, 12), generator=torch.Generator().manual_seed(0))
    for patch in ((2, 3), 4):
        wanted = functional.unfold(image, kernel_size=patch, stride=patch)
        with Spelled():
            cut = functional.unfold(image, kernel_size=patch, stride=patch)
            whole = functional.fold(cut, output_size=(8, 12), kernel_size=patch, stride=patch)
        assert torch.equal(cut, wanted) and torch.equal(whole, image)


@pytest.mark.parametrize("options", [{"stride": 1}, {"stride": 2, "padding": 1}, {"stride": 2, "dilation": 2}, {}])
def test_other_patches_stay_with_torch(options):
    image = torch.randn((1, 2, 8, 8), generator=torch.Generator().manual_seed(0))
    wanted = functional.unfold(image, 2, **options)
    with Spelled():
        assert torch.equal(functional.unfold(image, 2, **options), wanted)


def test_a_product_broadcasts():
    one, many = torch.randn(1, 4, 1), torch.randn(1, 4, 5)
    with Spelled():
        assert torch.equal(many * one.expand_as(many), many * one)
