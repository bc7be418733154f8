"""sodkeras report: makes the page of a training run again, or compares several runs on one page.

usage: sodkeras report RUN [RUN ...] [--out=FILE]

RUN is the folder that `sodkeras train` wrote to; the run may be unfinished, and still training. One run gives its
report.html anew. Several give a page with what differs in their settings, their curves in common charts, and the
scores of each.

A folder may be somebody else's: nothing in it is executed, and nothing outside it is read.

examples:
  sodkeras report runs/first
  sodkeras report runs/first runs/second --out=comparison.html
"""

from sodkeras.errors import UsageError

#: What has to be installed for it, see `sodkeras.extras`.
EXTRA = "train"


def define_flags(options):
    options.out("The page for several runs.", default="comparison.html")


def run(options, arguments):
    if not arguments:
        raise UsageError("name the folder of a run")
    from sodkeras.training.run_comparison import write_comparison
    from sodkeras.training.run_report import write_report

    if len(arguments) == 1:
        print(write_report(arguments[0]))
    else:
        write_comparison(arguments, options.out)
        print(options.out)
    return 0
