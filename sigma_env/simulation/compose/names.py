"""Invented names of one family of rules: programs, products, switches, addresses. Each holds a word of its half."""

import random
from typing import Final

from sigma_env.simulation.compose.vocabulary import Vocabulary, stock

_STEMS: Final = 4
_WORDS: Final = 5
_OCTETS: Final = (23, 31, 45, 51, 62, 77, 85, 91, 103, 138, 146, 159, 172, 185, 193, 203, 212)


class Names:
    """What the rules of one family speak of: few names, in many forms.

    Args:
        vocabulary: of the family's half.
        rng: chooses the family's names.
        unmet: whether its invented names are such as no training pair has.
    """

    def __init__(self, vocabulary: Vocabulary, rng: random.Random, *, unmet: bool = False) -> None:
        self.half = vocabulary.half
        self.stems = rng.sample(vocabulary.unmet if unmet else vocabulary.stems, _STEMS)
        self.words = rng.sample(vocabulary.words, _WORDS)
        self.programs = rng.sample(vocabulary.programs, 2)
        self.folders = rng.sample(vocabulary.folders, 2)
        self.keys = rng.sample(vocabulary.keys, 2)

    def stem(self, rng: random.Random) -> str:
        """An invented name in lower case."""
        return rng.choice(self.stems)

    def word(self, rng: random.Random) -> str:
        """An English word in lower case."""
        return rng.choice(self.words)

    def name(self, rng: random.Random) -> str:
        """A name as programs and files have it: `ventar`, `ventarsvc`, `ventar-upload`, `upload_ventar`, `ventar3`."""
        stem = self.stem(rng)
        match rng.randrange(8):
            case 0 | 1:
                return stem
            case 2 | 3:
                return f"{stem}{rng.choice(stock()['suffixes'])}"
            case 4:
                return f"{stem}{rng.choice('-_')}{self.word(rng)}"
            case 5:
                return f"{self.word(rng)}{rng.choice('-_')}{stem}"
            case 6:
                return f"{stem}{rng.randint(1, 99)}"
        return f"{stem}{rng.choice('-_')}{rng.choice(stock()['suffixes'])}"

    def cased(self, rng: random.Random) -> str:
        """A name in one of the casings in which people write them."""
        name = self.name(rng)
        match rng.randrange(5):
            case 0:
                return name[0].upper() + name[1:]
            case 1:
                return "".join([part[0].upper() + part[1:] for part in name.replace("_", "-").split("-")])
        return name

    def title(self, rng: random.Random) -> str:
        """A name of a product or company: `Ventar Upload`."""
        stem = self.stem(rng).capitalize()
        match rng.randrange(3):
            case 0:
                return stem
            case 1:
                return f"{stem} {self.word(rng).capitalize()}"
        return f"{stem} {self.stem(rng).capitalize()}"

    def program(self, rng: random.Random) -> str:
        """A file name of a program, mostly invented."""
        if rng.random() < 0.15:
            return f"{rng.choice(self.programs)}.exe"
        return f"{self.cased(rng)}.{'exe' if rng.random() < 0.93 else 'scr'}"

    def folder(self, rng: random.Random) -> str:
        r"""The path of a folder, from a drive or a backslash on, to a backslash: `C:\\ProgramData\\Ventar\\`."""
        own = self.title(rng)
        match rng.randrange(5):
            case 0:
                return rf"C:\Program Files\{own}" + "\\"
            case 1:
                return rf"C:\{own}" + "\\"
        return f"{rng.choice(self.folders)}{own}\\"

    def whole_folder(self, rng: random.Random) -> str:
        """The path of a folder from its drive on."""
        while not (found := self.folder(rng)).startswith("C:"):
            pass
        return found

    def address(self, rng: random.Random, *, network: bool = False) -> str:
        """A public IPv4 address or network; its second number is even in training, odd in held-out rules."""
        second = 2 * rng.randrange(1, 120) + (self.half == "held_out")
        first, third, fourth = rng.choice(_OCTETS), rng.randint(10, 250), rng.randint(10, 250)
        if not network:
            return f"{first}.{second}.{third}.{fourth}"
        return f"{first}.{second}.0.0/16" if rng.random() < 0.4 else f"{first}.{second}.{third}.0/24"

    def mask(self, rng: random.Random) -> str:
        """Access rights in the form of Sysmon's `GrantedAccess`; the second digit is even or odd like addresses."""
        second = 2 * rng.randrange(8) + (self.half == "held_out")
        return f"0x{rng.randint(1, 15):x}{second:x}{rng.choice(('10', '38', '3a', '40', '78', 'ff', '00', '43', 'fa'))}"

    def domain(self, rng: random.Random) -> str:
        """A name of a domain: `ventar.top`, `upload.ventar.net`."""
        own = self.name(rng).replace("_", "-")
        return f"{own}.{rng.choice(stock()['domains'])}"

    def switch(self, rng: random.Random) -> str:
        """A switch of a command line, with its dash."""
        own = self.word(rng) if rng.random() < 0.5 else self.stem(rng)
        match rng.randrange(6):
            case 0:
                return f"--{own}"
            case 1:
                return f"/{own}:"
            case 2:
                return f"--{self.word(rng)}-{own}" if own in self.stems else f"--{own}={self.stem(rng)}"
            case 3:
                return f"/{own}"
        return f"-{own}"
