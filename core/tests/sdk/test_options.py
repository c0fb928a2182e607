"""Driver options: what ``-o`` may say, and what a person is told who said something else."""

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from linkwright import sdk
from linkwright.sdk.options import DOCKER_ENDPOINT_LABELS, DOCKER_LABELS


@frozen
class Options(sdk.CommonOptions):
    """A driver's options as an author writes them."""

    colour: str = sdk.option("com.example.colour", "colour", parse=sdk.text, default="red", help="which colour")
    weight: int = sdk.option("weight", parse=sdk.number(1, 9), default=1, help="how heavy")
    link: str = sdk.option("link", parse=sdk.interface_name, default="", help="which link")


@frozen
class Few:
    """A driver that wants none of the common options."""

    side: str = sdk.option("side", parse=sdk.text, default="", help="left or right")


def read(**pairs: str) -> Options:
    """Read pairs whose keys are plain words."""
    return sdk.read(Options, pairs, driver="toy")


def refusal(options: type, pairs: dict[str, str]) -> str:
    """Return the text that *pairs* are refused with."""
    with pytest.raises(sdk.Refused) as refused:
        sdk.read(options, pairs, driver="toy")
    return str(refused.value)


def test_nothing_said_is_every_default() -> None:
    """A network without ``-o`` is an ordinary one."""
    assert read() == Options()
    assert (Options().mtu, Options().gateway, Options().interface_prefix) == (None, True, "eth")


def test_an_option_goes_by_each_of_its_names() -> None:
    """Docker's label and the short word mean the same."""
    assert read(mtu="1400") == sdk.read(Options, {"com.docker.network.driver.mtu": "1400"}, driver="toy")
    assert read(colour="blue").colour == "blue"


def test_the_same_option_by_two_names_has_to_say_the_same() -> None:
    """Which of the two would win could only be guessed."""
    both = {"mtu": "1400", "com.docker.network.driver.mtu": "1400"}
    assert sdk.read(Options, both, driver="toy").mtu == 1400
    assert refusal(Options, {**both, "mtu": "1300"}) == (
        "driver toy was given com.docker.network.driver.mtu and mtu with different values; name one"
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("mut", "driver toy has no option 'mut'; did you mean 'mtu'?"),
        (
            "com.example.nb.mut",
            "driver toy has no option 'com.example.nb.mut'; did you mean 'com.docker.network.driver.mtu'?",
        ),
        (
            "com.docker.network.driver.mut",
            "driver toy has no option 'com.docker.network.driver.mut'; did you mean 'com.docker.network.driver.mtu'?",
        ),
        ("color", "driver toy has no option 'color'; did you mean 'colour'?"),
        ("com.other.colour", "driver toy has no option 'com.other.colour'; did you mean 'com.example.colour'?"),
        ("gatway", "driver toy has no option 'gatway'; did you mean 'gateway'?"),
    ],
)
def test_p_22_an_unknown_option_is_refused_with_the_nearest_known_one(key: str, text: str) -> None:
    """A typing error is not silently a default; the nearest name is what was most likely meant."""
    assert refusal(Options, {key: "1400"}) == text


def test_p_22_where_nothing_is_near_all_options_are_named() -> None:
    """A guess that is none would mislead."""
    assert refusal(Few, {"com.docker.network.bridge.enable_icc": "true"}) == (
        "driver toy has no option 'com.docker.network.bridge.enable_icc'; it knows side"
    )


@pytest.mark.parametrize("label", sorted(DOCKER_LABELS))
def test_p_22_dockers_own_labels_pass(label: str) -> None:
    """The engine understands them for every driver, so every driver gets them."""
    assert sdk.read(Options, {label: "whatever"}, driver="toy") == Options()


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_go_says_true_in_six_ways(text: str) -> None:
    """Go's strconv.ParseBool reads for all of Docker's drivers."""
    assert read(gateway="false", stable_mac=text).stable_mac is True


@pytest.mark.parametrize("text", ["0", "f", "F", "FALSE", "false", "False"])
def test_go_says_false_in_six_ways(text: str) -> None:
    """And so on."""
    assert read(gateway=text).gateway is False


@pytest.mark.parametrize("text", ["", "yes", "on", "tRUE", " true", "2"])
def test_whatever_else_is_no_truth_value(text: str) -> None:
    """Docker refuses it too; the message names the option, what was written, and what the option is for."""
    assert refusal(Options, {"gateway": text}).startswith(
        f"option gateway={text!r} of driver toy: write true or false ("
    )


@pytest.mark.parametrize(("text", "mtu"), [("0", None), ("68", 68), ("1500", 1500), ("65535", 65535)])
def test_an_mtu_is_bytes_or_nought_to_choose(text: str, mtu: int | None) -> None:
    """From the least that IPv4 allows to the most that the kernel takes."""
    assert read(mtu=text).mtu == mtu


@pytest.mark.parametrize(
    "text", ["", "-1", "67", "65536", "1_400", " 1400", "1400.0", "0x5dc", "١٤٠٠", "01400x", "9" * 5000]
)
def test_what_is_no_mtu_is_refused(text: str) -> None:
    """Decimal digits and nothing else, however long."""
    assert f"mtu={text!r} of driver toy: write a whole number from 68 to 65535 (MTU in bytes" in refusal(
        Options, {"mtu": text}
    )


@given(st.text())
def test_a_number_is_read_or_refused_and_nothing_else(text: str) -> None:
    """Whatever somebody types, the answer is a value or a refusal."""
    try:
        weight = read(weight=text).weight
    except sdk.Refused:
        return
    assert 1 <= weight <= 9
    assert int(text) == weight


def test_a_links_name_is_one_that_the_kernel_would_take() -> None:
    """The refusal names the option."""
    assert read(link="eth0.50").link == "eth0.50"
    assert refusal(Options, {"link": "eth0/1"}).startswith(
        "option link='eth0/1' of driver toy: 'eth0/1' is no interface name"
    )


@given(st.dictionaries(st.text(), st.text()))
def test_reading_gives_options_or_a_refusal(pairs: dict[str, str]) -> None:
    """Nothing that comes from a command line raises anything else."""
    try:
        options: object = sdk.read(Options, pairs, driver="toy")
    except sdk.Refused as error:
        options = error
    assert isinstance(options, Options) or "toy" in str(options)


def test_the_options_of_a_class_can_be_listed() -> None:
    """Manuals and messages are made from the same declaration; what is no option is left out."""

    @frozen
    class Mixed(Few):
        noted: str = ""

    assert [(name, spec.keys, spec.help) for name, spec in sdk.specs(Mixed).items()] == [
        ("side", ("side",), "left or right")
    ]


# --- of endpoints ------------------------------------------------------------------------------------------------


@frozen
class Attached(sdk.EndpointOptions):
    """What a driver lets an endpoint say."""

    seat: int = sdk.option("com.example.seat", "seat", parse=sdk.number(1, 9), default=1, help="which seat")


def attached(**pairs: str) -> Attached:
    """Read ``--driver-opt``."""
    return sdk.read_endpoint(Attached, sdk.Endpoint("e", "n", options=pairs), driver="toy")


def test_an_endpoint_has_options_of_its_own() -> None:
    """``docker network connect --driver-opt``; what the core itself understands is among them."""
    assert attached() == Attached()
    assert attached(seat="7").seat == 7
    assert attached(ifname="foo0").interface == attached(**{"com.docker.network.endpoint.ifname": "foo0"}).interface
    assert attached(ifname="foo0").interface == "foo0"


@pytest.mark.parametrize("label", sorted(DOCKER_ENDPOINT_LABELS))
def test_p_22_dockers_own_labels_of_endpoints_pass(label: str) -> None:
    """The engine does what they say."""
    assert attached(**{label: "whatever"}) == Attached()


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ({"saet": "1"}, "driver toy has no endpoint option 'saet'; did you mean 'seat'?"),
        ({"mtu": "1400"}, "driver toy has no endpoint option 'mtu'; it knows com.docker.network.endpoint.ifname, com."),
        ({"seat": "0"}, "endpoint option seat='0' of driver toy: write a whole number from 1 to 9 (which seat)"),
        ({"ifname": "a/b"}, "endpoint option ifname='a/b' of driver toy: 'a/b' is no interface name"),
        (
            {"ifname": "a", "com.docker.network.endpoint.ifname": "b"},
            "driver toy was given com.docker.network.endpoint.ifname and ifname with different values; name one",
        ),
        ({"com.docker.network.enable_ipv6": "1"}, "driver toy has no endpoint option 'com.docker.network.enable_ipv6'"),
    ],
)
def test_p_22_what_an_endpoint_cannot_say_is_refused_as_of_a_network(pairs: dict[str, str], text: str) -> None:
    """And it is told that it is about an endpoint: the network may know the word."""
    with pytest.raises(sdk.Refused) as refused:
        attached(**pairs)
    assert str(refused.value).startswith(text)
