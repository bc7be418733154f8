"""Draws photos with the maps that networks give of them, side by side, to look at.

usage: python training/weights/sheet.py --out=SHEET.jpg [--models=NAME,…] [PICTURE …]

A PICTURE is a file, a folder or a glob; default the four photos of examples/. A model is what `sodkeras predict` takes;
default every network of the package that needs no download, the file of each that is best for phones. The sheet of the
cards is docs/weights/examples.jpg.
"""

from absl import app, flags
from tqdm import tqdm

from sodkeras import Predictor, weights
from sodkeras.pictures import compositing, example_pictures, find_pictures, read_picture
from sodkeras.report import contact_sheet

_OUT = flags.DEFINE_string("out", None, "The .jpg or .png file to write.", required=True)
_MODELS = flags.DEFINE_list("models", None, "Whose maps are drawn.")


def main(arguments):
    names = _MODELS.value or [name for name in weights.preset_names() if "sources" not in weights.preset(name)]
    predictors = {name: Predictor(name) for name in names}
    rows = []
    for path in tqdm(find_pictures(arguments[1:]) if arguments[1:] else example_pictures(), unit="picture"):
        picture = read_picture(path)
        maps = [compositing.grey(predictor.predict(picture)) for predictor in predictors.values()]
        rows.append((path.stem, [picture, *maps]))
    contact_sheet(_OUT.value, rows, ["picture", *predictors])


if __name__ == "__main__":
    app.run(main)
