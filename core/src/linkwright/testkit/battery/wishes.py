"""Level wishes: what the driver answers, without anything being made of it. Needs nothing.

Each case holds one promise (``promises``), for the examples as they are and for networks like them that are drawn.
"""

from typing import Final

import pytest

from linkwright import sdk
from linkwright.testkit import drawing, inside
from linkwright.testkit.battery.level import Level
from linkwright.testkit.example import Example
from linkwright.testkit.promises import PROMISES, Question, all_said

_QUESTIONS: Final[dict[type, list[Question]]] = {}


class WishesLevel(Level):
    """What every driver promises about its answers."""

    def test_wishes_answers(self) -> None:
        """It answers, or refuses in words, and raises nothing else; and it has the examples."""
        refused = {str(one): text for one in self.wanted() if (text := self._refusal(one))}
        assert not refused, f"examples cannot be had: {refused}"
        self._hold("answers")

    def test_wishes_pure(self) -> None:
        """Asked, it opens no file, no socket and no process, starts no thread and does not wait."""
        self._hold("pure")

    def test_wishes_repeatable(self) -> None:
        """The same input gives the same wishes: the second time, and in another process."""
        self._hold("repeatable")
        questions = self._questions()
        here, there = all_said(questions), inside.apart(all_said, questions)
        if unlike := [asked for asked, one, other in zip(questions, here, there, strict=True) if one != other]:
            pytest.fail(f"{unlike[0]}: another process answers differently: is there a hash() or a set?", pytrace=False)

    def test_wishes_steady(self) -> None:
        """What is wished for does not change when a container joins, or with the time of day."""
        self._hold("steady")

    def test_wishes_sound(self) -> None:
        """The linter finds nothing: all that is needed is wished for, nothing twice, nothing that is not ours."""
        self._hold("sound")

    def test_wishes_plain(self) -> None:
        """Wishes are plain values, which come back from JSON as they went."""
        self._hold("plain")

    def test_wishes_endpoints_apart(self) -> None:
        """Two endpoints of one network share nothing that the first to go would take from the other."""
        self._hold("endpoints_apart")

    def test_wishes_networks_apart(self) -> None:
        """Two networks share nothing either, or the second one is refused."""
        self._hold("networks_apart")

    def test_wishes_joins(self) -> None:
        """What is handed over is a link that was wished for, with gateways and routes that Docker can use."""
        self._hold("joins")

    def test_wishes_gateways(self) -> None:
        """Gateways can be reached, and a network that leads nowhere has none."""
        self._hold("gateways")

    def test_wishes_powers(self) -> None:
        """The optional powers that it has answer what they are to answer."""
        self._hold("powers")

    def test_wishes_ports(self) -> None:
        """What it publishes is what was asked for, and can be had beside its other wishes."""
        self._hold("ports")

    def _hold(self, name: str) -> None:
        """Hold one promise; of the networks that break it the plainest is shown."""
        wrong = [(question, text) for question in self._questions() if (text := next(PROMISES[name](question), ""))]
        if wrong:
            question, text = min(wrong, key=lambda pair: len(repr(pair[0])))
            pytest.fail(f"{question}: {text}", pytrace=False)

    def _questions(self) -> list[Question]:
        """The examples as they are, and networks like them; drawn once for all promises."""
        cls = type(self)
        if cls not in _QUESTIONS:
            possible = [one for one in self.wanted() if not self._refusal(one)]
            drawn = drawing.sample(self.driver, possible, self.tries) if possible else []
            _QUESTIONS[cls] = [*map(self.question, possible), *drawn]
        return _QUESTIONS[cls]

    def _refusal(self, one: Example) -> str:
        """Why *one* cannot be had; "" if it can, or if the driver fails to answer, which is a promise's to find."""
        try:
            question = self.question(one)
        except Exception as error:  # noqa: BLE001 - a reader of options may raise anything
            return str(error) or type(error).__name__
        try:
            question.driver().network(question.network)
        except sdk.Refused as refused:
            return str(refused) or "refused without a word"
        except Exception:  # noqa: BLE001
            return ""
        return ""
