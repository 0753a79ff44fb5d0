//! How many tokens a text takes, without the vocabulary of any model.
//!
//! Rather too many than too few: what is cut by mistake is the end of a lesser document, what overflows is
//! the whole answer. English costs two to three times what it takes, random letters and rare scripts
//! what they take at worst. Two vocabularies in common use are the measure in the tests.

/// Cost of one token; everything is counted in tenths.
const TOKEN: u64 = 10;

/// For each letter the letters that often follow it in words: bit 0 is `a`. Such pairs are parts of longer
/// tokens; pairs that are not here usually end one.
const COMMON_PAIRS: [u32; 26] = [
    0x1fe_bd6e, 0x016_4b11, 0x11e_cd95, 0x116_d959, 0x1ef_f97f, 0x11a_4931, 0x016_69d1, 0x01a_4111,
    0x2ae_f87f, 0x004_0010, 0x004_2130, 0x11c_4919, 0x014_d117, 0x13c_6d7d, 0x07e_fd7f, 0x11e_c911,
    0x010_0800, 0x13e_fd7d, 0x15f_cd95, 0x15e_c995, 0x00e_b95f, 0x000_0111, 0x006_6191, 0x008_8014,
    0x00e_c030, 0x000_0010,
];

/// Tokens that `text` takes, rather too many.
pub(crate) fn tokens(text: &str) -> usize {
    let mut meter = Meter::default();
    text.chars().for_each(|character| meter.read(character));
    meter.tokens()
}

/// Counts while a text is read.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Meter {
    tenths: u64,
    last: char,
    /// Digits in the run in hand.
    digits: u32,
}

impl Meter {
    /// Tokens until now.
    pub(crate) fn tokens(&self) -> usize {
        // A blank at the end would be one more, and short texts may be unlucky.
        let more = u64::from(self.last == ' ') + u64::from(self.tenths > 0);
        usize::try_from(self.tenths.div_ceil(TOKEN) + more).unwrap_or(usize::MAX)
    }

    /// Reads one more character.
    pub(crate) fn read(&mut self, character: char) {
        let joins_blank = character.is_ascii_alphabetic() || character.is_ascii_punctuation();
        if self.last == ' ' && !joins_blank {
            self.tenths += TOKEN;
        }
        self.tenths += self.cost(character);
        self.digits = if character.is_ascii_digit() { self.digits + 1 } else { 0 };
        self.last = character;
    }

    fn cost(&self, character: char) -> u64 {
        match character {
            'a'..='z' | 'A'..='Z' => letter(self.last, character),
            '0'..='9' => u64::from(self.digits.is_multiple_of(3)) * TOKEN,
            ' ' if self.last != ' ' => 0,
            ' ' | '\n' | '\t' if self.last == character => 3,
            '\0'..='\x7f' => TOKEN,
            other => beyond_ascii(other),
        }
    }
}

fn letter(last: char, character: char) -> u64 {
    if !last.is_ascii_alphabetic() {
        return 12;
    }
    let index = |letter: char| u32::from(letter.to_ascii_lowercase()) - u32::from('a');
    let followers =
        usize::try_from(index(last)).ok().and_then(|row| COMMON_PAIRS.get(row)).copied().unwrap_or(0);
    let is_common = (followers >> index(character)) & 1 == 1;
    match (is_common, last.is_ascii_lowercase(), character.is_ascii_lowercase()) {
        (true, true, true) => 4,
        (true, false, true) => 9,
        _ => 11,
    }
}

/// One token per byte at most, and less for the scripts of which both vocabularies know every letter.
fn beyond_ascii(character: char) -> u64 {
    let tokens: u64 = match u32::from(character) {
        0x0430..=0x044f => 1, // Cyrillic, lower case
        0x0080..=0x07ff
        | 0x0900..=0x09ff // Devanagari, Bengali
        | 0x0b80..=0x0bff // Tamil
        | 0x0e00..=0x0e5b // Thai
        | 0x2010..=0x206f // punctuation
        | 0x2500..=0x25ff // boxes
        | 0x3000..=0x30ff // Kana
        | 0xff00..=0xffef => 2,
        0x0800..=0xffff | 0x1f300..=0x1faff => 3,
        _ => 4,
    };
    tokens * TOKEN
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a text takes at most in two vocabularies in common use.
    fn taken(text: &str) -> usize {
        let count = |vocabulary: &tiktoken_rs::CoreBPE| vocabulary.count_ordinary(text);
        count(tiktoken_rs::cl100k_base_singleton()).max(count(tiktoken_rs::o200k_base_singleton()))
    }

    const TEXTS: &[&str] = &[
        "The service writes a copy of the database to the second disk every night, and verifies it afterwards.",
        "Der Dienst schreibt jede Nacht eine Sicherung der Datenbank auf die zweite Festplatte und prüft sie.",
        "Le service écrit chaque nuit une copie de la base de données sur le deuxième disque, puis il la vérifie.",
        "El servicio escribe cada noche una copia de la base de datos en el segundo disco y la comprueba.",
        "Palvelu kirjoittaa joka yö tietokannan kopion toiselle levylle ja tarkistaa sen.",
        "Služba každou noc zapisuje kopii databáze na druhý disk a ověřuje ji.",
        "Dịch vụ ghi một bản sao của cơ sở dữ liệu vào đĩa thứ hai mỗi đêm.",
        "Служба каждую ночь записывает копию базы данных на второй диск и проверяет её.",
        "Η υπηρεσία γράφει κάθε βράδυ ένα αντίγραφο της βάσης δεδομένων στον δεύτερο δίσκο.",
        "サービスは毎晩データベースのコピーを二番目のディスクに書き込みます。",
        "服务每天晚上将数据库的副本写入第二个磁盘并进行验证。",
        "서비스는 매일 밤 데이터베이스의 복사본을 두 번째 디스크에 기록합니다.",
        "تكتب الخدمة كل ليلة نسخة من قاعدة البيانات على القرص الثاني",
        "השירות כותב כל לילה עותק של מסד הנתונים לדיסק השני",
        "सेवा हर रात डेटाबेस की एक प्रति दूसरी डिस्क पर लिखती है",
        "บริการเขียนสำเนาฐานข้อมูลไปยังดิสก์ที่สองทุกคืน",
        "fn main() {\n    let total: u64 = items.iter().map(|item| item.len() as u64).sum();\n\n\treturn;\n}\n",
        "{\"id\": 1234567890, \"name\": \"Ann\", \"tags\": [\"a\", \"b\"], \"ratio\": 0.12345}",
        "9fceb02d0ae598e95dc970b74767f19372d61af8 123e4567-e89b-12d3-a456-426614174000",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n* * *\n\n====================\n",
        "THE QUICK BROWN FOX. getElementByIdAndReturnXmlHttpRequest SCREAMING_SNAKE_CASE",
        "🙂👩‍👩‍👧‍👦 ✅ → ≤ ½ € “quoted” – dash…",
        "                                deep\n\n\n\n\t\t\t\tindent   ",
    ];

    #[test]
    fn no_text_takes_more_than_estimated_and_few_much_less() {
        for text in TEXTS {
            let (estimate, taken) = (tokens(text), taken(text));
            assert!(estimate >= taken, "{estimate} < {taken}: {text}");
            // A run of blanks is one token, whatever its length.
            assert!(estimate <= taken * 4 + 4 || text.starts_with(' '), "{estimate} > 4 x {taken}: {text}");
        }
        let english = TEXTS[0].repeat(20);
        assert!(tokens(&english) <= taken(&english) * 3, "English is not far off");
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z]{1,14}",
            "[A-Za-z]{1,14}",
            "[A-Za-z0-9+/=_-]{1,40}",
            "[0-9a-f]{1,40}",
            "[0-9.,:-]{1,12}",
            "[ \\t\\n]{1,12}",
            "[ -~]{1,20}",
            "[а-яА-ЯёЁ]{1,12}",
            "[à-ÿ]{1,8}",
            "\\PC{1,12}",
            any::<String>(),
            prop::sample::select(TEXTS).prop_map(str::to_owned),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn the_estimate_is_never_too_low(pieces in prop::collection::vec(piece(), 1..12), blank in any::<bool>()) {
            let text = pieces.join(if blank { " " } else { "" });
            let (estimate, taken) = (tokens(&text), taken(&text));
            prop_assert!(estimate >= taken, "{} < {}", estimate, taken);
        }

        #[test]
        fn more_text_is_not_fewer_tokens(text in any::<String>()) {
            let mut meter = Meter::default();
            let mut before = 0;
            for character in text.chars() {
                meter.read(character);
                let now = meter.tokens();
                prop_assert!(now + 1 >= before);
                before = now;
            }
        }
    }
}
