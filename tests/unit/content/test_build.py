import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.build import (
    NO_ATTRIBUTES,
    PROFILE_V0_2015,
    PROFILE_V1_2025,
    Attributes,
    Build,
    Built,
    Entries,
    Layout,
    Profile,
    build_directory,
    build_file,
    build_hamt,
    build_symlink,
    collect,
)
from gateway.content.cid import RAW, sha256_cid
from gateway.content.unixfs_message import Mtime
from tests.refusal import check_refused

TARGET = Built(sha256_cid(RAW, bytes(32)), 1, 1)
SMALL_V0 = replace(PROFILE_V0_2015, chunk_bytes=16, max_links=3)
SMALL_V1 = replace(PROFILE_V1_2025, chunk_bytes=16, max_links=3)
PROFILES = {
    "v0": PROFILE_V0_2015,
    "v1": PROFILE_V1_2025,
    "v0-trickle": replace(PROFILE_V0_2015, layout=Layout.TRICKLE),
    "v1-trickle": replace(PROFILE_V1_2025, layout=Layout.TRICKLE),
    "small-v0": SMALL_V0,
    "small-v1": SMALL_V1,
    "small-v0-trickle": replace(SMALL_V0, layout=Layout.TRICKLE),
    "small-v1-trickle": replace(SMALL_V1, layout=Layout.TRICKLE),
}


def sample(size: int) -> bytes:
    """The bytes that the roots below were made of."""
    return hashlib.shake_128(str(size).encode()).digest(size)


# What Kubo 0.44 says with `ipfs add --only-hash`, the same chunker and the same number of links.
KUBO_ROOTS = """
v0 0 QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH
v0 1 QmegFAkKMqLhv5bGwNgNr6oe1fQyNs1D8aBnznjyzTHam4
v0 262144 QmRwoiWkqUBpKA4jhSyc3eLPyNgZLtu1EJeGQL4KvK8Xnm
v0 262145 QmUUE37PW3CPtyQ24v9FWZ3fbNHRB5ekdGFMuZbcyLx3CP
v0 1048577 QmS4ERG4nwvY41vprSjn9bHYEqivUbLv62Mq3v2DHCgHhR
v0 3000000 QmeJKXYembRwz9GTJwYYPoe38q9n1pGDLcRY4q5Na4Z1T9
v1 0 bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku
v1 1 bafkreihy2ihftdpsbb36jwbgerx4gh73iyk4xqczv3e6zds3fckr3bckh4
v1 262144 bafkreibubmefohsr2gf5guim5hrv7hassah647kv7rgyqluj34ppwppyg4
v1 262145 bafkreidiubeb462gytpmqsfulx6au4ctwayzidic5igi7bp6anysijfeba
v1 1048577 bafybeieyzysvwccf7syitgebegvv25mgswwoqoc2tdwybrzbpzhwthshhi
v1 3000000 bafybeibvogk2u7ryhhs3pksuny4ghg4dfmozncowsk6dpz5ro2gja4mrs4
v0-trickle 0 QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH
v0-trickle 1 QmRET9yJYzK7iyL4ZdSWWi6ssdMjqgDYzffbZFYuAgzAii
v0-trickle 262144 QmVLdHBY795TQxVbvZwW1STZRKjMgiE1Shh81ZK7eLFRaE
v0-trickle 262145 QmUkEb3yhFxhHp7ezY2FJTVidFSwzK29pm6QXWgEATh2cq
v0-trickle 1048577 QmTu7avYBPKmzdPdwiUQUbk13fGS7BU1hUhNj3YH62FHjy
v0-trickle 3000000 QmbxpjFtbG9p8iNQ5qHy7siURKvKHfJb3QQvtiCB2oQnv3
v1-trickle 0 bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y
v1-trickle 1 bafybeiae6q5rs7axwa3fwklqd7qh5evrpua7pmvlroz67z5s3gk3vph44q
v1-trickle 262144 bafybeiccuwlts4olk4bu7h257oks7nbfix676ex3j2je4ep4mfvzpkmxky
v1-trickle 262145 bafybeiadtmyknz6hl6neaucsrpednxwedquigk372mrijwqlodqhyfcqsu
v1-trickle 1048577 bafybeieyzysvwccf7syitgebegvv25mgswwoqoc2tdwybrzbpzhwthshhi
v1-trickle 3000000 bafybeibvogk2u7ryhhs3pksuny4ghg4dfmozncowsk6dpz5ro2gja4mrs4
small-v0 0 QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH
small-v0 1 QmegFAkKMqLhv5bGwNgNr6oe1fQyNs1D8aBnznjyzTHam4
small-v0 16 QmYMvwPKcMGHE8g3CHFRvNoxzBNE1cpDkfLBT2DaumFSrx
small-v0 17 QmXHZoGBQwphwkDVZuqQAuSUq8NaFvvNPsKz4R97BKr392
small-v0 48 Qmafwa7a3vAkmLcU6kQLb4c1mbJT75jy3tvFnrqhxKLfhy
small-v0 49 QmNy71FSCWCo8yFZmJfSqXFZHmaEgbVzWfmPWewYx39dJt
small-v0 144 QmPGzngstgWuaG4Wo8KBbmNiDYSd4WAkvZ3zhq7Qx7GA72
small-v0 145 Qme72hg4QDLRqD2PpPsnv33RsMQAHiRfqoxJ5BwJDvDZa3
small-v0 437 QmNdR9m2ZuDEFKioEmjhCzWZ6ACHCvCy6GdUQLGVoKWSTe
small-v0 5000 QmbrB4mFRothS37FoCqgr7JrJCg6Vc6tTrdmjJXvobT17e
small-v1 0 bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku
small-v1 1 bafkreihy2ihftdpsbb36jwbgerx4gh73iyk4xqczv3e6zds3fckr3bckh4
small-v1 16 bafkreierpg2neox5rxhdmvzgm6c6mjpaejv3u7vn52x3i7rx5endxqrdy4
small-v1 17 bafybeihqh6673c3eaf35sqacywu54ikvxxgeuavuwq2fyghk6om5qm3mzi
small-v1 48 bafybeihiwy3p5aoyvt4j7lg43gj2jau76fcmt6lma6iivuznlszjgiqaxi
small-v1 49 bafybeigr23jlyu3nt5hyn2lqbuiu23rm5qvb72nbvbsirmzluydohgysfm
small-v1 144 bafybeiflaoccylmhio5n5a4elujthl2feyfc5halikwia36kojkbgiefi4
small-v1 145 bafybeifv6gjeggeidvf3bfrlhls6i2dmnt6d6de3lpinzzzlm3plrdi3re
small-v1 437 bafybeianai2vw2ioteikgofadglnmot732dkaltvcqzjmt25c3cblytmn4
small-v1 5000 bafybeifgykzci2wldrfve2resx2p2r2cvowwfymq6cjosnbwqajvnytk7a
small-v0-trickle 0 QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH
small-v0-trickle 1 QmRET9yJYzK7iyL4ZdSWWi6ssdMjqgDYzffbZFYuAgzAii
small-v0-trickle 16 Qmci9pS6YcvTy461ZDVJ6oZuwu5UfJ3GTUtvQiaats6Y4E
small-v0-trickle 17 QmPkyGCSkb7YoQ3vJkEi7FTa3bUs3LGM4i3kT7ux3r4uyw
small-v0-trickle 48 Qmb13nacMgjh1QSzrxs7hSKThiFzd8Bz3z6RY9xHNoD6B4
small-v0-trickle 49 QmUjWYjqahhWCeHRA5aLLacABjWd1UDcTdq3Vb2wzigQ3q
small-v0-trickle 144 QmRDv4s4GB2JwGRJDCvS5cEHWNXFkhQ1w3A5nwbVRTjPZT
small-v0-trickle 145 QmdeXpAAsL53G5DY4gHgxypG5jCiBnKe9t4WmKEWgRRNRV
small-v0-trickle 437 QmQQJU4et8Q7A3Wqcb4EGay3774yxJDCDvD2drMFLqeZa7
small-v0-trickle 5000 QmXkWsuyL3mWuWrQCuUbSgYaBzjRbzfUY6RFupYph1VY1h
small-v1-trickle 0 bafybeif7ztnhq65lumvvtr4ekcwd2ifwgm3awq4zfr3srh462rwyinlb4y
small-v1-trickle 1 bafybeiae6q5rs7axwa3fwklqd7qh5evrpua7pmvlroz67z5s3gk3vph44q
small-v1-trickle 16 bafybeickgz43gn3px2ozeygo6yxv5mfujmz3xs5vftzs6lemeovxg6c3ia
small-v1-trickle 17 bafybeihqh6673c3eaf35sqacywu54ikvxxgeuavuwq2fyghk6om5qm3mzi
small-v1-trickle 48 bafybeihiwy3p5aoyvt4j7lg43gj2jau76fcmt6lma6iivuznlszjgiqaxi
small-v1-trickle 49 bafybeic4kbeqbapqseh7aei7fw2jhw7fjwqf5gqo3e3vwfmcbcgztaowf4
small-v1-trickle 144 bafybeif3oysv2hki43cafnqi4akx2ufnzyh3a5qz4ejars2sjxs2q5p7ku
small-v1-trickle 145 bafybeifnhuy3qfcmhn5g7ittl2vbdqhaf363ky7taitpme5bybclrieex4
small-v1-trickle 437 bafybeib3nmzfgtrqgvzoqhqeonycvmiiqdr6axevbki7cn27ligjucrbly
small-v1-trickle 5000 bafybeicpnbmaqtvk6jmxw2veqnpnhfwpnqnn4lkse2di45b2lfxi2nb5xi
"""


@pytest.mark.parametrize("vector", [line for line in KUBO_ROOTS.split("\n") if line])
def test_file_has_the_root_that_kubo_gives_it(vector: str) -> None:
    profile, size, root = vector.split()
    built, _ = collect(build_file(sample(int(size)), PROFILES[profile]))

    assert str(built.cid) == root
    assert built.size == int(size)


@pytest.mark.parametrize(
    ("profile", "attributes", "root"),
    [
        ("v0", Attributes(0o644), "QmNhnYS4ZWqydmkmtkgncgfCms4pHCGCkHoD5JXprCMGvH"),
        (
            "v0",
            Attributes(mtime=Mtime(1700000000)),
            "QmcbdbaVT8eix2LDJSoijjoeSUR5B4jmDxVJ5AJsdskb7f",
        ),
        ("v0", Attributes(0o755, Mtime(-5, 7)), "QmTioSbYt4J5JQQivFPz9EXLJHAtTefoWS3r52JZmWTWwb"),
        ("v1", Attributes(0o644), "bafybeiafnig5j622bo7d4hyfzmd4kmdkmgspmnhirqgn2fkw3m2swinjly"),
        (
            "v1",
            Attributes(mtime=Mtime(1700000000)),
            "bafybeigt3ijdljavhskdezllbtbr7os3brakpqttaiciqitd57h6oufmui",
        ),
        (
            "v1",
            Attributes(0o755, Mtime(-5, 7)),
            "bafybeicp64lb4aqf6rpura7iwiwozubgv4v4iu3stdplvbkcrxtox7clki",
        ),
        (
            "small-v1",
            Attributes(0o644),
            "bafybeibztnpyh4rnia7m2jxut76yrufr4pvo6foquy6avhufrf3mbltesm",
        ),
        (
            "small-v1",
            Attributes(mtime=Mtime(1700000000)),
            "bafybeietiiguszvurzudknca5gxli3n3vwjihpexhrspo3o5spskokmtzi",
        ),
        (
            "small-v1",
            Attributes(0o755, Mtime(-5, 7)),
            "bafybeicdrtkgiw3n22bnp2wc6n77zryecgoyogqv67ue43y2ibcgjpvqcu",
        ),
        (
            "small-v1-trickle",
            Attributes(0o644),
            "bafybeie4ogd2xp3l7vbdaclekzxhuwvc5ncrjpq6owagnqhjswqxy4ekp4",
        ),
        (
            "small-v1-trickle",
            Attributes(mtime=Mtime(1700000000)),
            "bafybeic7fpa47ebicruyoukil7ebk5yu2eq5vyzviqhlsqqj5om6xdm6xy",
        ),
        (
            "small-v1-trickle",
            Attributes(0o755, Mtime(-5, 7)),
            "bafybeifmlkw7ddpllflvg7iwnntrpwi24nrtke4q5b5itzonin22vjtcuq",
        ),
    ],
)
def test_file_with_attributes_has_the_root_that_kubo_gives_it(
    profile: str, attributes: Attributes, root: str
) -> None:
    built, _ = collect(build_file(sample(50), PROFILES[profile], attributes))

    assert str(built.cid) == root


@pytest.mark.parametrize(
    ("count", "fanout", "root"),
    [
        (300, 8, "bafybeichx5l3tkiax7psheii6l77t2g6ue4rtknwyxittqv6zt5n227bqm"),
        (300, 16, "bafybeigzlfnjdmvu52xtdbvvscdgc6mbcafd6zrpj5ft5khzfeenui2up4"),
        (300, 256, "bafybeig7xumlyzkz23gbz4b2khg7ru74mnpid6k5wwxhsnsi67uep6tzhe"),
        (5000, 1024, "bafybeifqfcvi72qwzpq2y4zpgszaooqr632crbki6cc6wn25g4ed3tysgi"),
    ],
)
def test_hamt_has_the_root_that_kubo_gives_it(count: int, fanout: int, root: str) -> None:
    entries = [(f"{n}.txt", collect(build_file(b"%d" % n))[0]) for n in range(count)]
    built, _ = collect(build_hamt(entries, fanout=fanout))

    assert str(built.cid) == root


@pytest.mark.parametrize(
    ("version", "profile", "root"),
    [
        (0, PROFILE_V0_2015, "Qmed7NQdpkhCCBLmoY9yedBW6aYG517xuxJUwv1n7maVAC"),
        (1, PROFILE_V1_2025, "bafybeibni2lvaamrz3z2ur2hd6taa64ytqddp2lqaat5vioxgtb366klgq"),
    ],
)
def test_directory_has_the_root_that_kubo_gives_it(
    version: int, profile: Profile, root: str
) -> None:
    names = ["a", "B", "ä ñ", "z%20z", ".x"]
    entries = [
        (name, collect(build_file(sample(size), profile))[0]) for size, name in enumerate(names)
    ]
    link = collect(build_symlink(b"../x y", cid_version=version))[0]
    built, _ = collect(build_directory([*entries, ("link", link)], cid_version=version))

    assert str(built.cid) == root


@pytest.mark.parametrize(
    ("version", "root"),
    [
        (0, "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"),
        (1, "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"),
    ],
)
def test_empty_directory_is_that_of_the_specification(version: int, root: str) -> None:
    built, blocks = collect(build_directory([], cid_version=version))

    assert (str(built.cid), built.size, built.tsize) == (root, 0, 4)
    assert [block.cid for block in blocks] == [built.cid]


@given(st.lists(st.binary(max_size=40)), st.sampled_from(sorted(PROFILES)))
def test_pieces_of_any_size_make_the_same_file(pieces: list[bytes], profile: str) -> None:
    whole = b"".join(pieces)

    assert collect(build_file(iter(pieces), PROFILES[profile])) == collect(
        build_file(whole, PROFILES[profile])
    )


def test_blocks_come_before_the_data_ends() -> None:
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield bytes(16)

    build = build_file(pieces(), SMALL_V1)
    next(build)

    assert len(taken) == 2


@given(st.binary(max_size=400), st.sampled_from(sorted(PROFILES)))
def test_children_come_before_their_parents_and_the_root_last(data: bytes, profile: str) -> None:
    built, blocks = collect(build_file(data, PROFILES[profile]))

    assert blocks[-1].cid == built.cid
    assert built.tsize == sum(len(block.data) for block in blocks)


def test_entries_are_sorted_by_the_bytes_of_their_names() -> None:
    entries = [(name, TARGET) for name in ("b", "é", "B", "a", "😀", "\uffff")]

    assert collect(build_directory(entries)) == collect(build_directory(reversed(entries)))
    data = collect(build_directory(entries))[1][0].data
    found = [data.index(name.encode() + b"\x18") for name in "Babé\uffff😀"]
    assert found == sorted(found)


@pytest.mark.parametrize("build", [build_directory, build_hamt])
def test_name_twice_is_refused(build: Callable[[Entries], Build]) -> None:
    check_refused(
        ValueError,
        "the name 'a' occurs twice",
        collect,
        build([("a", TARGET), ("b", TARGET), ("a", TARGET)]),
    )


def test_empty_name_in_a_hamt_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot hold an empty name"):
        collect(build_hamt([("", TARGET)]))


def test_attributes_are_none_unless_they_are_given() -> None:
    assert Attributes(None, None) == NO_ATTRIBUTES
    plain, marked = (
        collect(build_hamt([("a", TARGET)], attributes=attributes))[0].cid
        for attributes in (NO_ATTRIBUTES, Attributes(mtime=Mtime(0)))
    )
    assert plain != marked
