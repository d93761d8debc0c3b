import numpy as np

from benchmarks import device
from lungcare.bundle import Bundle
from tests import conftest, phantom


def test_the_processor_agrees_with_itself_at_every_batch(bundle_folder):
    films = np.stack(
        [255 * phantom.chest(look)[: conftest.SIZE, : conftest.SIZE, np.newaxis] for look in phantom.LOOKS]
    )
    found = device.compared(Bundle(bundle_folder), films.astype(np.float32), [1, 2, 6])[device.PROCESSOR]
    assert found["largest_difference"] == found["largest_difference_in_float32"] == 0
    assert list(found["films_a_second"]) == [1, 2, 6]
    assert all(rate > 0 for rate in found["films_a_second"].values())
