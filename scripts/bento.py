"""Build the bento, with the model inside, as one file: python -m scripts.bento [--model NAME] [--gpu] [--output FILE]

Beside BentoML's own build, what it contains is written into it (`scripts.contents`), and each package has its checksum.
"""

import argparse
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml
import yaml

from lungcare.bundle import BundleError, open_bundle
from lungcare.settings import Settings, SettingsError
from lungcare.store import import_bundle
from scripts.contents import write_contents

ROOT = Path(__file__).resolve().parent.parent
CONTENTS = ROOT / "dist" / "contents"


def main() -> int:
    """Build and export. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="name or path of the bundle (default: LUNGCARE_MODEL)")
    parser.add_argument("--gpu", action="store_true", help="for an NVIDIA GPU")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "lungcare.bento", help="default: %(default)s")
    options = parser.parse_args()
    lock = ROOT / "deploy" / ("requirements-gpu.lock" if options.gpu else "requirements.lock")
    try:
        model = import_bundle(open_bundle(options.model or Settings.from_environment().model))
        write_contents(lock, CONTENTS)
    except (BundleError, SettingsError) as error:
        print(f"lungcare: {error}", file=sys.stderr)
        return 2
    bento = built(model, lock)
    options.output.unlink(missing_ok=True)
    bentoml.bentos.export_bento(bento.tag, str(options.output))
    print(f"{options.output} holds {bento.tag} with the model {model}.")
    return 0


def built(model: str, lock: Path) -> bentoml.Bento:
    """The bento of this checkout, in the store. model: tag in the model store. lock: packages with checksums."""
    told = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))
    told["python"]["requirements_txt"] = f"./{lock.relative_to(ROOT)}"
    bentofile = ROOT / "dist" / "bentofile.yaml"
    bentofile.parent.mkdir(exist_ok=True)
    bentofile.write_text(yaml.safe_dump(told), encoding="utf-8")
    bento = bentoml.bentos.build_bentofile(str(bentofile), build_ctx=str(ROOT), args={"model": model})
    # BentoML adds itself once more, without a checksum, and then no checksum could be enforced.
    requirements = Path(bento.path) / "env" / "python" / "requirements.txt"
    text = requirements.read_text(encoding="utf-8")
    requirements.write_text(re.sub(r"^bentoml==[^ \\]+\n", "", text, flags=re.MULTILINE), encoding="utf-8")
    return bento


if __name__ == "__main__":
    sys.exit(main())
