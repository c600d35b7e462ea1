"""The themes of generated pages: what their sites are called, what words they use, how their paths are built."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """One theme, and its share of all pages."""

    name: str
    share: float
    hosts: tuple[tuple[str, str], ...]
    """(host, name of the site), the most visited first."""
    words: tuple[str, ...]
    """The commonest first."""
    paths: tuple[str, ...]
    """With {slug}, {word}, {other}, {number}, {day} and {code}."""


def make_theme(name: str, share: float, hosts: str, words: str, *paths: str) -> Theme:
    """Hosts as `host=Site_name` with spaces between; an underscore stands for a space."""
    named = (one.partition("=")[::2] for one in hosts.split())
    return Theme(
        name, share, tuple((host, site.replace("_", " ")) for host, site in named), tuple(words.split()), paths
    )


FILLERS = "new best top guide free online review official today how the for with and your 2023 first live"
COMMON = tuple(FILLERS.split())

THEMES = (
    make_theme(
        "news",
        1.4,
        "www.harbournews.example=Harbour_News www.dailyledger.co.uk=The_Daily_Ledger news.capitalpost.com=Capital_Post "
        "edition.northwire.com=Northwire www.thestatesman.net=The_Statesman",
        "government election minister parliament president police court crisis budget vote war economy climate senate "
        "report strike border law protest leader talks policy party campaign mayor inquiry sanctions treaty reform",
        "/{day}/{slug}",
        "/politics/{day}/{slug}.html",
        "/news/world-{number}",
    ),
    make_theme(
        "sports",
        1.0,
        "www.scoreline.com=Scoreline www.pitchside.co.uk=Pitchside sport.arenaone.de=Arena_One m.fullcourt.tv=Court",
        "match goal league season team coach player final cup win transfer striker defender injury tournament champion "
        "stadium derby penalty referee playoffs tennis basketball football race driver squad record fixture standings",
        "/football/{slug}-{number}",
        "/match/{number}/report",
        "/teams/{word}/results/{day}",
    ),
    make_theme(
        "fashion",
        1.1,
        "www.velvetrow.com=Velvet_Row shop.nordicwear.se=Nordicwear www.stitchandco.com.au=Stitch_&_Co "
        "outlet.modista.es=Modista",
        "dress shirt sale size cotton jacket shoes women men summer collection leather denim bag sneakers style "
        "discount jeans sweater delivery skirt linen socks hoodie boots scarf belt leggings colour blue black",
        "/products/{slug}?variant={number}",
        "/collections/{word}",
        "/p/{number}/{slug}.html?size=m&color={word}",
    ),
    make_theme(
        "code",
        1.2,
        "github.com=GitHub docs.rustbook.dev=Rust_Book stackhelp.io=Stackhelp kernelnotes.github.io=Kernel_Notes "
        "pypackage.org=PyPackage",
        "python rust function error library release server database compiler linux kernel async api docker kubernetes "
        "test thread memory javascript typescript debugging query cache cluster schema benchmark parser stack commit",
        "/questions/{number}/{slug}",
        "/{word}/{other}/issues/{number}",
        "/docs/latest/{slug}.html#{word}",
    ),
    make_theme(
        "cooking",
        0.9,
        "www.goldenwhisk.com=Golden_Whisk recettes.lamarmite.fr=La_Marmite www.spoonandsalt.co.uk=Spoon_&_Salt",
        "recipe chicken garlic butter cake bread oven sauce soup onion cheese pasta salad dinner dessert chocolate "
        "rice crème brûlée flour sugar vegan baking lemon roasted tomato easy minutes spicy noodles",
        "/recipes/{slug}",
        "/recipe/{number}/{slug}/print",
        "/kitchen/{word}/{slug}/",
    ),
    make_theme(
        "travel",
        0.9,
        "www.farhorizon.com=Far_Horizon booking.innfinder.com=Innfinder de.reisekompass.de=Reisekompass "
        "flights.skyhop.co.nz=Skyhop",
        "hotel flight beach island rooms city tour booking airport travel holiday resort map train cheap itinerary "
        "museum passport visa luggage cruise hostel mountain weekend guests breakfast pool coast lisbon tokyo",
        "/hotel/{word}/{slug}.html?checkin={day}&adults=2&rooms=1&group_children=0",
        "/destinations/{word}/{slug}",
        "/flights/search?from={word}&to={other}&id={number}",
    ),
    make_theme(
        "finance",
        0.9,
        "www.coinbeacon.io=Coinbeacon markets.bullfeed.com=Bullfeed www.ledgerwise.com=Ledgerwise",
        "crypto bitcoin stock market price shares token investors bank rates inflation fund trading ethereum wallet "
        "bond dividend earnings forecast dollar exchange mortgage loan portfolio yield block revenue quarter hedge",
        "/quote/{word}?range=5d&interval={number}",
        "/markets/{day}/{slug}",
        "/analysis/{slug}-{number}/",
    ),
    make_theme(
        "video",
        1.3,
        "www.youtube.com=YouTube m.youtube.com=YouTube clips.streamhut.tv=Streamhut music.songbird.fm=Songbird",
        "video music official trailer song episode live album remix lyrics full movie series channel dance concert "
        "guitar vlog gameplay reaction karaoke premiere soundtrack season interview comedy cover acoustic stream scene",
        "/watch?v={code}",
        "/watch?v={code}&list=PL{code}{code}&index={number}",
        "/c/{word}/videos",
    ),
    make_theme(
        "login",
        0.8,
        "www.facebook.com=Facebook accounts.signly.com=Signly id.portalhub.jp=Portalhub",
        "login page account profile photos friends see posts sign password groups marketplace forgot verify continue "
        "create session device security email phone story followers privacy settings notifications messenger event",
        "/login/?next=https%3A%2F%2Fwww.facebook.com%2Fprofile.php%3Fid%3D{number}&_fb_noscript=1",
        "/login/?next=https%3A%2F%2Fwww.facebook.com%2Fpeople%2F{word}%2F{number}%2F&__cft__%5B0%5D={code}{code}{code}",
        "/signin/v2/identifier?continue=%2F{word}&flow={code}",
    ),
    make_theme(
        "wissen",
        0.7,
        "de.wikipedia.org=Wikipedia www.wissensblatt.de=Wissensblatt www.münchner-hefte.de=Münchner_Hefte "
        "日本語.jp=百科",
        "geschichte universität forschung könig jahrhundert straße größe schüler bücher wörter natur körper gebäude "
        "künstler sprache länder europa deutschland österreich gemälde völker höhle brücke fluss 東京 歴史 科学 研究",
        "/wiki/{word}",
        "/artikel/{slug}-{number}.html",
        "/lexikon/{word}/{slug}",
    ),
)
"""Ten of them; shares are relative, and drift."""
