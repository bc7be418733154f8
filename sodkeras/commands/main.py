"""`sodkeras VERB [ARGUMENTS] [--flag=value …]`: finds the verb, reads its flags, turns errors into one sentence."""

import contextlib
import difflib
import importlib
import logging
import multiprocessing
import os
import signal
import sys
import traceback
import warnings

import sodkeras
from sodkeras.commands.options import Options
from sodkeras.errors import SodkerasError, UsageError
from sodkeras.extras import advice, require
from sodkeras.progress import QUIET

#: Every verb, in the order a newcomer meets them.
VERBS = (
    "demo",
    "predict",
    "weights",
    "convert",
    "quantize-train",
    "verify",
    "benchmark",
    "evaluate",
    "flops",
    "data",
    "pseudo-label",
    "train",
    "prune",
    "report",
)

_INTRODUCTION = """Salient object detection: a photo in, a saliency map out, on a phone.

usage: sodkeras VERB [ARGUMENTS] [--flag=value ...]

{verbs}

Start with:  sodkeras demo
Then:        sodkeras predict photo.jpg --out=maps
Help:        sodkeras help VERB

Every verb takes --quiet: no progress, only results, warnings and errors; --debug, which shows where in the code
an error arose; and --max_pixels, the most that a picture may have (200 million): of a larger one no more than the
header is read. Results go to standard output, all else to standard error.
Exit codes: 0 done, 1 failed, 2 wrong use."""


def main(argv=None):
    """Runs one command and returns its exit code: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    _open_streams()
    # What Pillow and OpenCV remark of damaged pictures; we name them ourselves.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    # Of the usual 16 MB, the memory of a large picture is not given back, only kept for the next one.
    os.environ.setdefault("PILLOW_BLOCK_SIZE", "64m")
    warnings.filterwarnings("ignore", module=r"PIL\.")
    prepare_tensorflow()
    if argv is None:
        signal.signal(signal.SIGTERM, _end)
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        return _run(argv)
    except BrokenPipeError:  # the reader of our output has had enough, as in `sodkeras … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _end(number, frame):
    """Ended by others, a command still removes its temporary files, and those who work for it end with it."""
    for child in multiprocessing.active_children():
        child.kill()
    sys.exit(128 + number)


def _open_streams():
    """Gives what a daemon or a program without a console lacks, and what progress bars write to."""
    for descriptor in range(3):  # else the next file that is opened would get it, and what others mean for a console
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, descriptor)
            if nowhere != descriptor:
                os.close(nowhere)
            os.set_inheritable(descriptor, True)
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", closefd=False))
        if descriptor and hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")  # a name that the console cannot write


def prepare_tensorflow():
    """Says in the environment, where it says nothing yet, how TensorFlow is to compute, and keeps its remarks from
    users. Call it before its import."""
    # TensorFlow's and LiteRT's start-up messages say nothing to the user of a command.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").addFilter(_is_for_users)
    # With one thread oneDNN writes past its memory in the gradient of a 1×1 convolution with strides, as ResNets have
    # it, and training aborts (TensorFlow 2.21; training/NOTES.md). Two threads may share a core.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if cores == 1:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")
    one_thread = os.environ.get("TF_NUM_INTRAOP_THREADS") == "1"
    # TensorFlow leaves oneDNN out on CPUs without AVX-512 or VNNI, where it helps as well (training/NOTES.md).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0" if one_thread else "1")


def _is_for_users(record):
    """Commands call one model after another, each traced once, which TensorFlow takes for one that is traced anew."""
    return "tf.function retracing" not in record.getMessage()


def _run(argv):
    if argv[:1] == ["help"] and len(argv) > 1:
        argv = [*argv[1:2], "--help"]
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_INTRODUCTION.format(verbs="\n".join(f"  {verb:<14} {_summary(verb)}" for verb in VERBS)), flush=True)
        return 0
    if argv[0] == "--version":
        print(f"sodkeras {sodkeras.__version__}")
        return 0
    verb, *rest = argv
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"did you mean {near[0]}? The" if near else "the"
        return _fail(2, f"sodkeras: {hint} verbs are {', '.join(VERBS)}. Received: {verb}")
    module, options = _module(verb), Options()
    module.define_flags(options)
    options.switch("debug", False, "Show the traceback of an error.")
    options.switch("quiet", False, "No progress: only results, warnings and errors.")
    options.whole("max_pixels", None, "The most pixels that a picture may have.")
    if {"-h", "--help", "-help"} & set(rest):
        print(f"{module.__doc__.strip()}\n\nflags:\n{options.help()}")
        return 0
    try:
        values, arguments = options.read(f"sodkeras {verb}", rest)
        with _environment(values):
            if hasattr(module, "EXTRA"):
                require(module.EXTRA, f"sodkeras {verb}")
            return module.run(values, arguments)
    except UsageError as error:
        return _fail(2, f"sodkeras {verb}: {error} (see sodkeras help {verb})")
    except KeyboardInterrupt:
        return _fail(130, f"sodkeras {verb}: interrupted")
    except BrokenPipeError:
        raise  # `main` knows
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and (advised := advice(error)):
            return _fail(1, f"sodkeras {verb}: {advised}")
        if values.debug:
            traceback.print_exc()
        return _fail(1, f"sodkeras {verb}: {_sentence(error)}")


@contextlib.contextmanager
def _environment(values):
    """What all of a command's processes shall know."""
    wanted = {}
    if values.quiet:
        wanted[QUIET] = "1"
    if values.debug:
        wanted["SODKERAS_DEBUG"] = "1"
    if values.max_pixels:
        from sodkeras.pictures.decode import MAX_PIXELS

        wanted[MAX_PIXELS] = str(values.max_pixels)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ |= wanted
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _module(verb):
    return importlib.import_module(f"sodkeras.commands.{verb.replace('-', '_')}")


def _summary(verb):
    return _module(verb).__doc__.strip().split("\n")[0].split(": ", 1)[1]


def _sentence(error):
    """An error's message on one line; one that this project did not write also says what kind it is."""
    message = " ".join(str(error).split())
    if isinstance(error, SodkerasError):
        return message
    return f"{message or 'no message'} ({type(error).__name__}; --debug shows where)"


def _fail(code, message):
    print(message, file=sys.stderr)
    return code
