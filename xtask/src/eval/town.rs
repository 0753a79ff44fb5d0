//! A made-up town: five houses publish a page about each of twenty things, and the names are the same in all of them.
//! What is asked is said in other words than in the page, so a look-alike is always near.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::{Publisher, Question};

const NAMES: [&str; 20] = [
    "Halcyon",
    "Merganser",
    "Tamarind",
    "Quillon",
    "Bellwether",
    "Ostrava",
    "Juniper",
    "Larkspur",
    "Corvid",
    "Marigold",
    "Pelican",
    "Sorrel",
    "Whitby",
    "Ember",
    "Thistle",
    "Anselm",
    "Dunlin",
    "Fathom",
    "Gannet",
    "Vesper",
];
const PEOPLE: [&str; 12] = [
    "Tamsin Holloway",
    "Idris Vaughan",
    "Petra Lindqvist",
    "Obi Nwosu",
    "Marta Kowalczyk",
    "Henrik Dahl",
    "Yusuf Karim",
    "Lucia Ferraro",
    "Anouk Vermeer",
    "Rafael Quintero",
    "Sunniva Berg",
    "Kwame Asante",
];
const COLOURS: [&str; 8] =
    ["ochre", "crimson", "slate blue", "bottle green", "ivory", "charcoal", "saffron", "teal"];
const GOODS: [&str; 8] = [
    "barley",
    "sawn timber",
    "roofing slate",
    "salted herring",
    "linen",
    "quarry stone",
    "cider apples",
    "wool",
];
const PLACES: [&str; 8] = [
    "Port Ellery",
    "Saint Odran",
    "Cold Ashby",
    "Varnholm",
    "Little Marrow",
    "Kirkwell",
    "Breyting",
    "Osmund Cross",
];

/// What may stand for the blank of a sentence.
enum Blank {
    Year,
    Number,
    Person,
    Colour,
    Goods,
    Place,
}

/// A sentence of a page, and the question that it answers. `{n}` is the thing's name, `{}` the blank.
type Fact = (&'static str, &'static str, Blank);

struct House {
    owner: &'static str,
    /// What its things are.
    kind: &'static str,
    facts: [Fact; 6],
}

const HOUSES: [House; 5] = [
    House {
        owner: "harbour",
        kind: "ship",
        facts: [
            (
                "{n} was launched in {} and has kept her first mast.",
                "In which year was the ship {n} launched?",
                Blank::Year,
            ),
            ("The yard that built {n} stood at {}.", "Where was the ship {n} built?", Blank::Place),
            (
                "Captain {} has commanded {n} for nine seasons.",
                "Who is the captain of the ship {n}?",
                Blank::Person,
            ),
            (
                "On most voyages {n} carries {} in her hold.",
                "What cargo does the ship {n} usually carry?",
                Blank::Goods,
            ),
            (
                "Her hull is painted {} above the waterline.",
                "What colour is the hull of the ship {n}?",
                Blank::Colour,
            ),
            ("Between voyages {n} lies at pier {}.", "At which pier does the ship {n} lie?", Blank::Number),
        ],
    },
    House {
        owner: "brewery",
        kind: "beer",
        facts: [
            ("{n} has been brewed here since {}.", "Since when has the beer {n} been brewed?", Blank::Year),
            (
                "The hops of {n} are grown near {}.",
                "Where do the hops of the beer {n} come from?",
                Blank::Place,
            ),
            (
                "The recipe of {n} is the work of {}.",
                "Who invented the recipe of the beer {n}?",
                Blank::Person,
            ),
            (
                "Beside malt the mash of {n} contains {}.",
                "What else is in the mash of the beer {n} besides malt?",
                Blank::Goods,
            ),
            (
                "In the glass {n} shows a {} tint.",
                "Which tint does the beer {n} have in the glass?",
                Blank::Colour,
            ),
            ("{n} matures for {} days in cask.", "How many days does the beer {n} mature?", Blank::Number),
        ],
    },
    House {
        owner: "observatory",
        kind: "telescope",
        facts: [
            (
                "{n} saw its first light in {}.",
                "In which year did the telescope {n} see first light?",
                Blank::Year,
            ),
            (
                "The mirror of {n} was ground at {}.",
                "Where was the mirror of the telescope {n} ground?",
                Blank::Place,
            ),
            ("{} keeps the log book of {n}.", "Who keeps the log book of the telescope {n}?", Blank::Person),
            (
                "The dome over {n} was once a store for {}.",
                "What was stored in the dome of the telescope {n} before?",
                Blank::Goods,
            ),
            (
                "The tube of {n} is lacquered in {}.",
                "Which lacquer covers the tube of the telescope {n}?",
                Blank::Colour,
            ),
            (
                "Guests may look through {n} on {} nights a year.",
                "On how many nights may guests use the telescope {n}?",
                Blank::Number,
            ),
        ],
    },
    House {
        owner: "orchard",
        kind: "apple",
        facts: [
            (
                "The first tree of {n} was grafted in {}.",
                "When was the first tree of the apple {n} grafted?",
                Blank::Year,
            ),
            (
                "{n} was found as a seedling in {}.",
                "Where was the apple {n} found as a seedling?",
                Blank::Place,
            ),
            ("The grower of {n} is {}.", "Who grows the apple {n}?", Blank::Person),
            (
                "Crates of {n} are lined with {} against bruises.",
                "What are the crates of the apple {n} lined with?",
                Blank::Goods,
            ),
            ("A ripe {n} has a {} cheek.", "What colour is the cheek of a ripe apple {n}?", Blank::Colour),
            (
                "A mature tree of {n} bears {} kilograms in a good year.",
                "How many kilograms does a tree of the apple {n} bear?",
                Blank::Number,
            ),
        ],
    },
    House {
        owner: "museum",
        kind: "locomotive",
        facts: [
            (
                "{n} left the works in {}.",
                "In which year did the locomotive {n} leave the works?",
                Blank::Year,
            ),
            (
                "{n} served the branch line to {} until it closed.",
                "Which branch line did the locomotive {n} serve?",
                Blank::Place,
            ),
            (
                "{} restored the boiler of {n}.",
                "Who restored the boiler of the locomotive {n}?",
                Blank::Person,
            ),
            (
                "In its last years {n} hauled {}.",
                "What did the locomotive {n} haul in its last years?",
                Blank::Goods,
            ),
            (
                "The cab of {n} is finished in {}.",
                "In which colour is the cab of the locomotive {n} finished?",
                Blank::Colour,
            ),
            (
                "{n} stands on track {} of the round house.",
                "On which track does the locomotive {n} stand?",
                Blank::Number,
            ),
        ],
    },
];

/// Numbers that are the same in every run and look like any (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }

    fn fill(&mut self, blank: &Blank) -> String {
        let mut one = |list: &[&str]| list[self.below(list.len())].to_owned();
        match blank {
            Blank::Person => one(&PEOPLE),
            Blank::Colour => one(&COLOURS),
            Blank::Goods => one(&GOODS),
            Blank::Place => one(&PLACES),
            Blank::Year => (1790 + self.below(170)).to_string(),
            Blank::Number => (11 + self.below(80)).to_string(),
        }
    }
}

/// Writes the pages into folders and gives two questions about each: 200 in all.
pub(super) fn write(folder: &Path) -> Result<(Vec<Publisher>, Vec<Question>)> {
    let (mut publishers, mut questions, mut dice) = (Vec::new(), Vec::new(), Dice(20_260_101));
    for house in &HOUSES {
        let folder = folder.join(house.owner);
        fs::create_dir_all(&folder)?;
        for (place, name) in NAMES.iter().enumerate() {
            let other = NAMES[(place + 1 + dice.below(NAMES.len() - 1)) % NAMES.len()];
            let title = format!("The {} {name}", house.kind);
            let mut page = format!(
                "# {title}\n\nThis page is about {name}. Visitors often take it for {other}, which is another.\n"
            );
            let asked = [dice.below(3), 3 + dice.below(3)];
            for (number, (sentence, question, blank)) in house.facts.iter().enumerate() {
                let value = dice.fill(blank);
                let _ = write!(page, "\n{}\n", sentence.replace("{n}", name).replace("{}", &value));
                if asked.contains(&number) {
                    let text = question.replace("{n}", name);
                    questions.push(Question { text, titles: vec![title.clone()], says: Some(value) });
                }
            }
            fs::write(folder.join(format!("{}.md", name.to_lowercase())), page)?;
        }
        publishers.push(Publisher { name: house.owner.to_owned(), folder });
    }
    Ok((publishers, questions))
}
