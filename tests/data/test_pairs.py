"""Sets are found as they are downloaded, joined rightly, and divided the same way every time."""

import hashlib
import json
import pathlib

import pytest

from sodkeras import SodkerasError
from sodkeras.data.pairs import Pair, find_pairs, find_sets, split_pairs


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("files", "pairs"),
    [
        (["pond/images/a.jpg", "pond/masks/a.png"], {"pond": ["a"]}),
        (["DUTS-TR/DUTS-TR-Image/x_1.jpg", "DUTS-TR/DUTS-TR-Mask/x_1.png"], {"DUTS-TR": ["x_1"]}),
        (["ECSSD/images/0001.jpg", "ECSSD/ground_truth_mask/0001.png"], {"ECSSD": ["0001"]}),
        (["HKU-IS/imgs/7.png", "HKU-IS/gt/7.png", "HKU-IS/readme.txt"], {"HKU-IS": ["7"]}),
        (["SOD/Images/2092.jpg", "SOD/GT/2092.png"], {"SOD": ["2092"]}),
        (
            ["o/DUT-OMRON-image/DUT-OMRON-image/im1.jpg", "o/DUT-OMRON-gt-pixelwise/pixelwiseGT-new-PNG/im1.png"],
            {"o": ["im1"]},
        ),
        (
            [f"salObj/datasets/{kind}/{name}" for name in ("ft/1", "pascal/2") for kind in ("imgs", "masks")],
            {"datasets/ft": ["1"], "datasets/pascal": ["2"]},
        ),
        (["MSRA10K_Imgs_GT/Imgs/9.jpg", "MSRA10K_Imgs_GT/Imgs/9.png"], {"MSRA10K_Imgs_GT": ["9"]}),
        (["MSRA-B/9.jpg", "MSRA-B/9.png", "MSRA-B/Thumbs.db"], {"MSRA-B": ["9"]}),
        (
            ["a/images/1.jpg", "a/masks/1.png", "b/Image/2.JPG", "b/Mask/2.PNG", "photos/3.jpg", "notes/x.txt"],
            {"a": ["1"], "b": ["2"]},
        ),
    ],
)
def test_the_layouts_of_the_fields_sets(tmp_path, files, pairs):
    files = [
        name if "." in name.rpartition("/")[2] else f"{name}.{'jpg' if 'imgs' in name else 'png'}" for name in files
    ]
    touch(tmp_path, *files)
    folder = tmp_path if len(pairs) > 1 and "a" in pairs else tmp_path / files[0].split("/")[0]
    found = find_sets([folder])
    assert {one.name: [pair.stem for pair in one.pairs] for one in found} == pairs
    for one in found:
        assert not one.unpaired
        for pair in one.pairs:
            assert pair.set == one.name and pair.picture.exists() and pair.mask.exists()
            assert pair.picture != pair.mask and pair.picture.stem == pair.mask.stem
            assert pair.mask.suffix.lower() == ".png"


def test_names_are_given_with_an_equals_sign_and_must_differ(tmp_path, monkeypatch):
    touch(tmp_path, "one/pond/images/a.jpg", "one/pond/masks/a.png", "two/pond/images/b.jpg", "two/pond/masks/b.png")
    touch(tmp_path, "x=y/images/c.jpg", "x=y/masks/c.png")
    folders = [tmp_path / "one/pond", tmp_path / "two/pond"]
    with pytest.raises(SodkerasError, match=r"a name of its own, as NAME=SOURCE\. Received: pond"):
        find_pairs(folders)
    found = find_pairs([f"first={folders[0]}", folders[1], tmp_path / "x=y"])
    assert [(pair.set, pair.stem) for pair in found] == [("first", "a"), ("pond", "b"), ("x=y", "c")]
    assert [found.name for found in find_sets([f"all={tmp_path / 'one'}"])] == ["all/pond"]
    monkeypatch.chdir(folders[0])
    assert find_pairs(".")[0].set == "pond"


def test_files_without_a_partner_are_left_out_and_named(tmp_path):
    touch(tmp_path, "images/a.jpg", "images/b.jpg", "masks/a.png", "masks/c.png", "masks/.hidden.png")
    (found,) = find_sets([tmp_path])
    assert [pair.stem for pair in found.pairs] == ["a"]
    assert [path.name for path in found.unpaired] == ["b.jpg", "c.png"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "picture,mask\np/a.jpg,m/a.png\np/b b.jpg,m/b.png\n"),
        ("list.csv", "Image,GT\np/a.jpg,m/a.png\np/b b.jpg,m/b.png\n"),
        ("list.txt", "img\tlabel\np/a.jpg\tm/a.png\np/b b.jpg\tm/b.png\n"),
        ("list.csv", '"p/a.jpg", m/a.png\n"p/b b.jpg",m/b.png'),
        ("list.txt", "# by hand\n\np/a.jpg\tm/a.png\np/b b.jpg\tm/b.png\n"),
        ("list.lst", "\ufeffp/a.jpg, m/a.png\r\np/b b.jpg, m/b.png\r\n"),
    ],
)
def test_a_list_is_read_relative_to_itself(tmp_path, name, text):
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / name
    path.write_bytes(text.encode())
    (found,) = find_sets([path])
    assert found.name == "list"
    expected = [Pair(path.parent / f"p/{stem}.jpg", path.parent / f"m/{stem[0]}.png", "list") for stem in ("a", "b b")]
    assert list(found.pairs) == expected
    assert find_pairs([f"mine={path}"])[0].set == "mine"


def test_a_list_separated_by_spaces_and_with_absolute_paths(tmp_path):
    path = tmp_path / "train.lst"
    path.write_text(f"{tmp_path}/p/a.jpg {tmp_path}/m/a.png\n")
    assert find_pairs([path]) == [Pair(tmp_path / "p/a.jpg", tmp_path / "m/a.png", "train")]


def test_a_list_may_weigh_its_pairs(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("picture, mask, weight\na.jpg,a.png,0.25\nb.jpg,b.png\n")
    assert [pair.weight for pair in find_pairs([path])] == [0.25, 1.0]


def test_a_folder_with_a_list_is_what_the_list_says(tmp_path):
    touch(tmp_path, "photos/a.jpg", "photos/b.jpg", "sets/labelled/masks/a.png", "sets/labelled/masks/b.png")
    (tmp_path / "sets/labelled/pairs.csv").write_text("picture,mask,weight\n../../photos/a.jpg,masks/a.png,0.5\n")
    for source, name in ((tmp_path / "sets/labelled", "labelled"), (tmp_path / "sets", "labelled")):
        (pair,) = find_pairs([source])
        assert (pair.set, pair.weight, pair.picture.name) == (name, 0.5, "a.jpg") and pair.picture.exists()
    assert find_pairs([f"mine={tmp_path / 'sets/labelled'}"])[0].set == "mine"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a.jpg,a.png,1.5\n", "weight from 0 to 1"),
        (b"a.jpg,a.png\nb.jpg\n", "line 2 of .*: b.jpg"),
        (b"a b.jpg a.png\n", "line 1 of .*: a b.jpg a.png"),
        (b"a.jpg,a.png,c.png\n", "line 1"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"# nothing\n", "names no pairs"),
        (b"", "empty"),
    ],
)
def test_a_list_that_is_none(tmp_path, content, says):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(SodkerasError, match=says):
        find_pairs([tmp_path / "list.txt"])


def test_sources_that_hold_no_pairs(tmp_path):
    touch(
        tmp_path, "photos/a.jpg", "other/images/a.jpg", "other/masks/b.png", "twice/images/a.jpg", "twice/images/a.png"
    )
    touch(tmp_path, "twice/masks/a.png", "both/images/a.jpg", "both/masks/a.png", "both/gt/a.png")
    for source, says in (
        (tmp_path / "nothing", "no such folder or list of pairs.*nothing"),
        (tmp_path / "nothing.csv", "no such file"),
        (tmp_path / "photos", "holds no pairs"),
        (tmp_path / "other", "a mask of the same stem"),
        (tmp_path / "twice", "Two files of a folder have one stem"),
        (tmp_path / "both", "which of several folders"),
        ("name=", "NAME=SOURCE"),
    ):
        with pytest.raises(SodkerasError, match=says):
            find_pairs([source])


def test_what_is_synthetic_is_called_so_whatever_name_is_given(tmp_path):
    touch(tmp_path, "toys/images/a.jpg", "toys/masks/a.png")
    (tmp_path / "toys/synthetic.json").write_text(json.dumps({}))
    (tmp_path / "list.txt").write_text("toys/images/a.jpg,toys/masks/a.png")
    sources = [tmp_path / "toys", f"DUTS={tmp_path / 'toys'}", f"all={tmp_path}", tmp_path / "list.txt"]
    names = [found.name for source in sources for found in find_sets([source])]
    assert names == ["synthetic-toys", "synthetic-DUTS", "synthetic-all/toys", "synthetic-list"]
    assert all(pair.set == name for source, name in zip(sources, names, strict=True) for pair in find_pairs([source]))


def numbered(count):
    return [
        Pair(pathlib.Path(f"images/{index}.jpg"), pathlib.Path(f"masks/{index}.png"), "set") for index in range(count)
    ]


def test_a_pair_stays_on_its_side_when_others_come_and_go():
    pairs = numbered(1000)
    for share, seed in ((0.1, 0), (0.1, 1), (0.5, 3)):
        training, validation = split_pairs(pairs, share, seed)
        assert sorted(training + validation, key=pairs.index) == pairs
        assert abs(len(validation) / len(pairs) - share) < 0.04
        fewer = split_pairs(pairs[::-3], share, seed)
        assert set(fewer[0]) <= set(training) and set(fewer[1]) <= set(validation)
        assert set(split_pairs(pairs, share / 2, seed)[1]) <= set(validation)
    assert set(split_pairs(pairs, 0.1, 0)[1]) != set(split_pairs(pairs, 0.1, 1)[1])
    assert split_pairs(pairs, 0, 0) == (pairs, [])


def test_half_with_seed_0_are_the_stems_whose_digest_ends_with_8_or_more():
    training, validation = split_pairs(numbered(200), 0.5)
    for pairs, digits in ((training, "01234567"), (validation, "89abcdef")):
        assert {hashlib.sha256(pair.stem.encode()).hexdigest()[-1] for pair in pairs} == set(digits)


def test_a_share_that_leaves_nothing():
    for count, share, received in ((2, 1.0, "1.0"), (2, -0.1, "-0.1"), (1, 0.5, "0.5 of 1"), (0, 0.0, "0.0 of 0")):
        with pytest.raises(SodkerasError, match=f"Received: {received}"):
            split_pairs(numbered(count), share)


def test_a_mask_value_is_that_of_all_pairs(tmp_path):
    touch(tmp_path, "a/images/1.jpg", "a/masks/1.png", "b/images/2.jpg", "b/masks/2.png")
    assert [pair.mask_value for pair in find_pairs([tmp_path])] == [None, None]
    assert [pair.mask_value for pair in find_pairs([tmp_path], 15)] == [15, 15]


def test_too_few_pairs_to_hold_out_says_what_to_give():
    pairs = [Pair(pathlib.Path("a.jpg"), pathlib.Path("a.png"), "toys")]
    with pytest.raises(SodkerasError, match=r"--validation=DATA.*--validation_share.*0\.1 of 1"):
        split_pairs(pairs, 0.1)
