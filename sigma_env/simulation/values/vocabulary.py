"""Words that paths, commands and names are made of."""

from functools import lru_cache
from typing import Final

_TEXT: Final = """
    access account action activate active adapter address admin agent alert alias allow analyze annual api
    append application apply archive area argument array assign assist async attach attribute audit auth auto
    backup balance base basic batch before begin binary bind block board body boot branch bridge broker browser
    buffer build bundle button bypass byte cache calendar call cancel capture card catalog center certificate
    change channel character charge check child clean clear click client clock clone close cloud cluster code
    collect color column command comment commit common compare compile complete component compress compute
    config confirm connect console consumer contact container content context control convert cookie copy core
    count cover create credential current custom cycle daily data database date debug decode default define
    delay delegate delete deliver demand deny deploy describe design desktop detail detect device dialog digest
    direct directory disable discover disk dispatch display distribute document domain download draft drive
    driver dump duplicate dynamic edit editor element email embed empty enable encode encrypt end engine enter
    entity entry enumerate environment error escape event example exchange exclude execute exit expand expire
    explore export express extend extension extract factory failure feature feed fetch field file filter final
    find finger finish firewall flag flash folder font force foreign form format forward frame free front
    function gallery gateway general generate global grant graph group guard guest guide handle handler hash
    header health help hidden history holder home host hour identity idle image import include index inform
    inherit initial input insert inspect install instance integer interface internal internet invite invoice
    item iterate job join journal kernel key keyboard label language launch layer layout learn level library
    license limit line link list listen load local locate lock log login logon loop machine mail main manage
    manager manual map mark mask master match matrix media member memory menu merge message meta method metric
    migrate mirror mobile mode model modify module monitor mount mouse move multiple name native network node
    normal note notify number object offer office offline online open operator option order origin output owner
    pack package page panel parameter parent parse partition passive password patch path pattern pause peer
    permit person phone picture pipe place plain platform player plugin point policy pool port post power prefer
    prefix prepare present preview print private probe process product profile program project prompt property
    protect protocol provider proxy public publish pull push query queue quick quota random range rate read
    reader ready real receive recent record recover recycle reduce refer refresh region register registry reject
    relation release reload remote remove rename render repair repeat replace reply report request require
    reserve reset resize resolve resource response restart restore restrict result resume retry return reverse
    review revoke role root route rule runtime sample save scan schedule schema scope screen script search
    second section secure security segment select send sensor sequence serial server service session setting
    setup shadow share shell shift shield shortcut show shutdown sign signal silent simple single site size skip
    sleep slot snapshot socket software solution sort sound source space special split spool stack stage
    standard start state static station status step stop storage store stream strict string strong structure
    style submit subscribe suffix suite summary supply support suspend switch symbol sync system table target
    task team template temporary terminal test text theme thread threshold ticket time timer title token tool
    topic total trace track traffic transfer transform translate trigger trust type undo unique unit unlock
    update upgrade upload usage user utility valid value variable vendor verify version view virtual visible
    visit volume wait warning watch web widget width window wipe wizard word work worker workspace wrapper write
    writer zone
"""
_WORDS: Final = tuple(_TEXT.split())


@lru_cache(maxsize=4096)
def words_like(word: str, *, at_begin: bool) -> tuple[str, ...]:
    """Words with the same begin, or end, as a word in lower case; neither holds the other."""
    shared = 3 if len(word) > 4 else 2
    side = word[:shared] if at_begin else word[-shared:]
    alike = [other for other in _WORDS if (other.startswith(side) if at_begin else other.endswith(side))]
    near = [other for other in alike if word not in other and other not in word]
    if not near and word.isalpha() and len(word) > 2:
        edge = 0 if at_begin else -1
        near = [other for other in _WORDS if other[edge] == word[edge] and abs(len(other) - len(word)) < 3]
        near = [other for other in near if word not in other and other not in word]
    return tuple(sorted(near, key=lambda other: abs(len(other) - len(word)))[:8])
