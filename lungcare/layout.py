"""The layout of a network's arrays. OpenVINO calculates with the channels first, Keras's files say last.

Told to calculate with the channels last, it would transpose before and after each convolution.
"""

from typing import Any

FIRST = "channels_first"


def channels_first(config: Any) -> Any:
    """The configuration of a network, as a Keras file holds it, with the channels before rows and columns.

    The weights of both are the same, in the same order. Of pictures with one channel so are the values.
    """
    if isinstance(config, list):
        return [channels_first(each) for each in config]
    if not isinstance(config, dict):
        return config
    moved = {name: channels_first(value) for name, value in config.items()}
    if "data_format" in moved:
        moved["data_format"] = FIRST
    if len(shape := moved.get("batch_shape") or ()) == 4:
        moved["batch_shape"] = [shape[0], shape[3], *shape[1:3]]
    if moved.get("class_name") in ("BatchNormalization", "Concatenate"):
        moved["config"]["axis"] = 1
    # What its layers were built for, with the channels last; they build themselves anew.
    moved.pop("build_config", None)
    return moved
