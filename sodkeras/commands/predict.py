"""sodkeras predict: finds the salient object in photos and writes what you ask for.

usage: sodkeras predict PICTURE [PICTURE ...] [--flag=value ...]

A PICTURE is a file, a folder, or a quoted glob such as 'photos/**/*.jpg'. For photo.jpg the folder --out gets
photo_map.png (grey: black background, white object), photo_overlay.png (the map laid over the photo) or
photo_cutout.png (the object alone), each at the photo's own size. A picture that cannot be
read does not stop the rest: it is named at the end, and the exit code is 1. Where pictures of several folders have one
name, suffix and folder are in their results' names. Pictures in folders of a folder are 'photos/**/*'. Results that lie
among the pictures are not taken for pictures, and no file that is none is written over.

The default network comes with this package and needs neither a download nor TensorFlow. csnet_l_x1_float16 is quicker
and finds less; u2net finds most (its first use fetches 176 MB).

A cut-out has a transparent background, or that of --background, and the object's own colours in its edges: the old
background would shine through them (--edges=raw).

A map's values are rounded to 8 bits. The papers round theirs down before they score them, and so does `sodkeras
evaluate`: for maps to score, take those of `sodkeras evaluate --save_maps`.

examples:
  sodkeras predict photo.jpg
  sodkeras predict holiday/ -m u2net --write=map,cutout -o masks
  sodkeras predict photo.jpg --write=cutout --background=white --crop
  sodkeras predict photo.jpg -m out/demo/u2netp-320x320-float32.tflite
"""

import pathlib
import sys

from sodkeras.errors import SodkerasError, UsageError


def define_flags(options):
    options.model("A preset's name, a .keras file or a .tflite file.", default="u2netp")
    options.out(default="saliency")
    options.names("write", ["map"], "What to write: map, overlay, cutout.")
    options.whole("threads", None, "CPU threads for a .tflite file.")
    options.choice("edges", "clean", ["clean", "raw"], "A cut-out's edges in the object's own colours, or the photo's.")
    options.text("background", None, "Behind a cut-out: a colour as white or #ff8800, a picture's file, or blur.")
    options.switch("crop", False, "Crop cut-outs to the object.")
    options.number("margin", 0.05, "crop: room around the object, as a share of its longer side.")
    options.number("mask_threshold", None, "Maps and cut-outs of two values, 1 above this.", most=0.999)


def run(options, arguments):
    from sodkeras.commands.pictures import named_pictures
    from sodkeras.commands.startup import open_predictor
    from sodkeras.pictures import CutOut, compositing, output_stems, read_background, write_png
    from sodkeras.pictures.find import is_result
    from sodkeras.pictures.read import PICTURE_ERRORS
    from sodkeras.predictor import Predictor
    from sodkeras.progress import progress_bar

    unknown = sorted(set(options.write) - set(Predictor.OUTPUTS))
    if unknown or not options.write:
        raise UsageError(f"--write takes {', '.join(Predictor.OUTPUTS)}. Received: {','.join(options.write)}")
    background = read_background(options.background) if options.background else None
    cut = CutOut(options.edges, background, options.margin if options.crop else None, options.mask_threshold)
    folder = pathlib.Path(options.out)
    pictures = named_pictures(arguments)
    stems = output_stems(pictures)
    predictor = open_predictor(options.model, options.threads)
    make = {
        "map": lambda photo, levels: cut.levels(levels),
        "overlay": lambda photo, levels: compositing.overlay(photo.pixels, levels),
        "cutout": lambda photo, levels: cut(photo, levels, overwrite=True),
    }
    failures = []
    with progress_bar(total=len(pictures), unit="picture", disable=len(pictures) < 2) as bar:
        for path, photo, result in predictor.stream(pictures):
            try:
                if photo is None:
                    raise result
                result = compositing.grey(result)  # a quarter of the memory, which counts with 100 megapixels
                for kind in options.write:
                    target = folder / f"{stems[path]}_{kind}.png"
                    if target.exists() and not is_result(target):
                        raise SodkerasError(
                            f"The file there is no result of predict; choose another --out. Received: {target}"
                        )
                    made = make[kind](photo, result)
                    write_png(target, made, photo.tags, True, is_result=True)
                    del made
            except PICTURE_ERRORS as error:
                failures.append((path, str(error)))  # an error would keep the picture in memory
            del photo, result  # before the next is read
            bar.update()
    done = len(pictures) - len(failures)
    if done:
        print(f"{done} of {len(pictures)} pictures done, {', '.join(options.write)} in {folder}")
    for path, reason in failures:
        print(f"sodkeras predict: {path} failed: {reason}", file=sys.stderr)
    return 1 if failures else 0
