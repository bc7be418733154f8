"""sodkeras predict: finds the salient object in photos and writes what you ask for.

usage: sodkeras predict PICTURE [PICTURE ...] [--flag=value ...]
       sodkeras predict - < PICTURE > RESULT.png

A PICTURE is a file, a folder, or a quoted glob such as 'photos/**/*.jpg'. For photo.jpg the folder --out gets
photo_map.png (grey: black background, white object), photo_overlay.png (the map laid over the photo) or
photo_cutout.png (the object alone), each at the photo's own size. A picture that cannot be read does not stop the rest:
it is named at the end, and the exit code is 1. Where pictures of several folders have one name, suffix and folder are
in their results' names. Results that lie among the pictures are not taken for pictures, and no file that is none is
written over. For one picture and one result --out may be a .png file.

Many pictures: --recursive takes folders in folders, too; --skip_existing leaves out what the same picture, model and
flags have given before, so that an interrupted command goes on; --workers=N works on N pictures at a time; --shard=I/N
is for jobs side by side.

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
  sodkeras predict photo.jpg -o mask.png
  sodkeras predict archive/ --recursive --write=cutout --skip_existing --workers=4 -o cut
  sodkeras predict photo.jpg -m out/demo/u2netp-320x320-float32.tflite
"""

import concurrent.futures
import hashlib
import json
import pathlib
import sys

from sodkeras.errors import SodkerasError, UsageError
from sodkeras.files import read_bytes
from sodkeras.progress import say


def define_flags(options):
    options.model("A preset's name, a .keras file or a .tflite file.", default="u2netp")
    options.out("The folder to write to; for one result, or one file.", default="saliency")
    options.names("write", ["map"], "What to write: map, overlay, cutout.")
    options.whole("threads", None, "CPU threads for a .tflite file.")
    options.whole("workers", 1, "Pictures that are worked on at a time.")
    options.batch()
    options.switch("skip_existing", False, "Leave out results that are there, of the same picture, model and flags.")
    options.choice("edges", "clean", ["clean", "raw"], "A cut-out's edges in the object's own colours, or the photo's.")
    options.text("background", None, "Behind a cut-out: a colour as white or #ff8800, a picture's file, or blur.")
    options.switch("crop", False, "Crop cut-outs to the object.")
    options.number("margin", 0.05, "crop: room around the object, as a share of its longer side.")
    options.number("mask_threshold", None, "Maps and cut-outs of two values, 1 above this.", most=0.999)
    options.json()


def run(options, arguments):
    from sodkeras.commands.pictures import named_pictures, part_of
    from sodkeras.commands.startup import open_predictor
    from sodkeras.pictures import CutOut, read_background
    from sodkeras.predictor import Predictor
    from sodkeras.progress import progress_bar

    unknown = sorted(set(options.write) - set(Predictor.OUTPUTS))
    if unknown or not options.write:
        raise UsageError(f"--write takes {', '.join(Predictor.OUTPUTS)}. Received: {','.join(options.write)}")
    background = read_background(options.background) if options.background else None
    cut = CutOut(options.edges, background, options.margin if options.crop else None, options.mask_threshold)
    if "-" in arguments:
        return _pipe(options, arguments, cut)
    pictures = named_pictures(arguments, options.recursive)
    targets = _targets(options, pictures)
    mine = part_of(pictures, options.shard)
    work = _Work(open_predictor(options.model, options.threads), cut, targets)
    todo = [path for path in mine if not (options.skip_existing and work.is_done(path))]
    with progress_bar(total=len(todo), unit="picture", disable=len(todo) < 2) as bar:
        work.through(todo, options.workers, bar.update)
    failures = {path: work.failures[path] for path in mine if path in work.failures}
    if options.json:
        rows = [_row(path, targets, failures, path not in todo) for path in mine]
        print(json.dumps(rows, indent=1, ensure_ascii=False))
    elif len(todo) > len(failures):
        print(f"{len(todo) - len(failures)} of {len(todo)} pictures done, {', '.join(options.write)} in {options.out}")
    if len(todo) < len(mine):
        say(f"{len(mine) - len(todo)} pictures had their results")
    for path, reason in failures.items():
        print(f"sodkeras predict: {path} failed: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _row(path, targets, failures, skipped):
    if path in failures:
        return {"picture": str(path), "error": failures[path]}
    return {"picture": str(path), "files": {kind: str(file) for kind, file in targets[path].items()}, "kept": skipped}


def _pipe(options, arguments, cut):
    """Standard input to standard output, or to the file that --out names."""
    from sodkeras.commands.startup import open_predictor
    from sodkeras.files import whole_file
    from sodkeras.pictures import encode_png, read_photo

    if arguments != ["-"] or len(options.write) != 1:
        raise UsageError("- alone stands for standard input, of which one result is written to standard output")
    out = pathlib.Path(options.out)
    if out.suffix.lower() != ".png" and options.out != "saliency":
        raise UsageError(f"of standard input, --out is a .png file. Received: {out}")
    if out.suffix.lower() != ".png" and sys.stdout.isatty():
        raise UsageError("the result is a PNG file: send standard output to one, or name it with --out")
    predictor = open_predictor(options.model, options.threads)
    photo = read_photo(sys.stdin.buffer.read())
    made = _MAKE[options.write[0]](photo, predictor.predict(photo.pixels), cut)
    content = encode_png(made, photo.tags, made_of="")
    if out.suffix.lower() == ".png":
        with whole_file(out) as temporary:
            temporary.write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
    return 0


def _targets(options, pictures):
    """For each picture, the file of each kind of result."""
    from sodkeras.pictures import output_stems

    out = pathlib.Path(options.out)
    if out.suffix.lower() in (".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff") and not out.is_dir():
        raise UsageError(f"results are .png files. Received: --out={out}")
    if out.suffix.lower() == ".png" and not out.is_dir():
        if len(pictures) != 1 or len(options.write) != 1:
            what = f"{len(pictures)} pictures, {', '.join(options.write)}"
            raise UsageError(f"--out=FILE.png is for one picture and one kind of result. Received: {what}")
        return {pictures[0]: {options.write[0]: out}}
    stems = output_stems(pictures)
    return {path: {kind: out / f"{stems[path]}_{kind}.png" for kind in options.write} for path in pictures}


def _map(photo, levels, cut):
    return cut.levels(levels)


def _overlay(photo, levels, cut):
    from sodkeras.pictures import compositing

    return compositing.overlay(photo.pixels, levels)


def _cutout(photo, levels, cut):
    return cut(photo, levels, overwrite=True)


_MAKE = {"map": _map, "overlay": _overlay, "cutout": _cutout}


class _Work:
    """Pictures on their way to results."""

    def __init__(self, predictor, cut, targets):
        self._predictor, self._cut, self._targets = predictor, cut, targets
        self._settings = hashlib.sha256(f"{predictor.fingerprint()} {cut.fingerprint()}".encode())
        self._is_stopped = False
        self.failures = {}

    def is_done(self, path):
        """Whether all results are there, of this picture, model and settings."""
        from sodkeras.pictures.find import origin_of

        targets = self._targets[path].values()
        try:
            return all(target.exists() for target in targets) and {self._origin(path)} == set(map(origin_of, targets))
        except (OSError, SodkerasError):  # reading the picture says it better
            return False

    def _origin(self, path):
        digest = self._settings.copy()
        digest.update(read_bytes(path))
        return digest.hexdigest()

    def through(self, paths, workers, count):
        """Writes the results of pictures, some at a time; `count` is called with 1 after each."""
        if workers == 1:
            return self._through(paths, count)
        with concurrent.futures.ThreadPoolExecutor(workers) as executor:
            parts = [executor.submit(self._through, paths[first::workers], count) for first in range(workers)]
            try:
                for part in parts:
                    part.result()
            finally:  # an interruption ends after the pictures at hand
                self._is_stopped = True

    def _through(self, paths, count):
        from sodkeras.pictures import compositing
        from sodkeras.pictures.read import PICTURE_ERRORS

        for path, photo, result in self._predictor.stream(paths):
            if self._is_stopped:
                return
            try:
                if photo is None:
                    raise result
                result = compositing.grey(result)  # a quarter of the memory, which counts with 100 megapixels
                self._write(path, photo, result)
            except PICTURE_ERRORS as error:
                self.failures[path] = str(error)  # an error would keep the picture in memory
            del photo, result  # before the next is read
            count(1)

    def _write(self, path, photo, levels):
        from sodkeras.pictures import write_png
        from sodkeras.pictures.find import is_result

        origin = self._origin(path)
        for kind, target in self._targets[path].items():
            if target.exists() and not is_result(target):
                raise SodkerasError(f"The file there is no result of predict; choose another --out. Received: {target}")
            write_png(target, _MAKE[kind](photo, levels, self._cut), photo.tags, True, origin)
