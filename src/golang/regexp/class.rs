//! Character classes of Go's regular expressions: Perl and POSIX groups (ASCII only) and Unicode categories and scripts.
//!
//! The Unicode tables are those of `regex-syntax`, cut down to the characters of Unicode 15.0, which is what Go 1.26 has.
//! Source: `regexp/syntax/parse.go` and `perl_groups.go`.

use std::sync::LazyLock;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange, HirKind};

/// One past the surrogates and one before: Rust's characters leave them out, and no text contains them.
const AFTER_SURROGATES: u32 = 0xE000;
const BEFORE_SURROGATES: u32 = 0xD7FF;

/// A class of the characters from `lo` to `hi`, without the surrogates in it.
pub(super) fn range(lo: u32, hi: u32) -> ClassUnicode {
    let lo = char::from_u32(lo).map_or(AFTER_SURROGATES, u32::from);
    let hi = char::from_u32(hi).map_or(BEFORE_SURROGATES, u32::from);
    match (char::from_u32(lo), char::from_u32(hi)) {
        (Some(lo), Some(hi)) if lo <= hi => ClassUnicode::new([ClassUnicodeRange::new(lo, hi)]),
        _ => ClassUnicode::empty(),
    }
}

/// Adds to the class what equals one of its characters but for case. What Unicode 15.0 does not know has no case.
pub(super) fn fold(class: &mut ClassUnicode) {
    let mut folded = class.clone();
    folded.intersect(&ASSIGNED);
    // Fails only without Unicode tables, which the crate is built with; then the class stays as it is.
    let _ = folded.try_case_fold_simple();
    folded.intersect(&ASSIGNED);
    class.union(&folded);
}

/// Makes it the class of all other characters. (The crate's own function stumbles over ranges that end and begin at the surrogates.)
pub(super) fn negate(class: &mut ClassUnicode) {
    let mut ranges = Vec::with_capacity(class.ranges().len() + 1);
    let mut next = 0;
    for r in class.ranges() {
        let lo = u32::from(r.start());
        if next < lo {
            ranges.extend(range(next, lo - 1).ranges());
        }
        next = u32::from(r.end()) + 1;
    }
    if next <= 0x10FFFF {
        ranges.extend(range(next, 0x10FFFF).ranges());
    }
    *class = ClassUnicode::new(ranges);
}

fn ascii(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|&(lo, hi)| ClassUnicodeRange::new(lo, hi)))
}

/// `\d`, `\S`… by the letter after the backslash; and whether it is negated.
pub(super) fn perl(letter: u8) -> Option<(ClassUnicode, bool)> {
    let name: &[u8] = match letter.to_ascii_lowercase() {
        b'd' => b"digit",
        b'w' => b"word",
        b's' => return Some((ascii(&[('\t', '\n'), ('\x0C', '\r'), (' ', ' ')]), letter == b'S')),
        _ => return None,
    };
    posix(name).map(|class| (class, letter.is_ascii_uppercase()))
}

/// `[:alpha:]` by its name.
pub(super) fn posix(name: &[u8]) -> Option<ClassUnicode> {
    Some(match name {
        b"alnum" => ascii(&[('0', '9'), ('A', 'Z'), ('a', 'z')]),
        b"alpha" => ascii(&[('A', 'Z'), ('a', 'z')]),
        b"ascii" => ascii(&[('\0', '\x7F')]),
        b"blank" => ascii(&[('\t', '\t'), (' ', ' ')]),
        b"cntrl" => ascii(&[('\0', '\x1F'), ('\x7F', '\x7F')]),
        b"digit" => ascii(&[('0', '9')]),
        b"graph" => ascii(&[('!', '~')]),
        b"lower" => ascii(&[('a', 'z')]),
        b"print" => ascii(&[(' ', '~')]),
        b"punct" => ascii(&[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
        b"space" => ascii(&[('\t', '\r'), (' ', ' ')]),
        b"upper" => ascii(&[('A', 'Z')]),
        b"word" => ascii(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
        b"xdigit" => ascii(&[('0', '9'), ('A', 'F'), ('a', 'f')]),
        _ => return None,
    })
}

const CATEGORIES: [&str; 38] = [
    "C", "Cc", "Cf", "Cn", "Co", "Cs", "L", "Lc", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl",
    "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
];

/// Long names of categories, without their underscores.
const ALIASES: [(&str, &str); 42] = [
    ("Casedletter", "Lc"),
    ("Closepunctuation", "Pe"),
    ("Combiningmark", "M"),
    ("Connectorpunctuation", "Pc"),
    ("Control", "Cc"),
    ("Currencysymbol", "Sc"),
    ("Dashpunctuation", "Pd"),
    ("Decimalnumber", "Nd"),
    ("Enclosingmark", "Me"),
    ("Finalpunctuation", "Pf"),
    ("Format", "Cf"),
    ("Initialpunctuation", "Pi"),
    ("Letter", "L"),
    ("Letternumber", "Nl"),
    ("Lineseparator", "Zl"),
    ("Lowercaseletter", "Ll"),
    ("Mark", "M"),
    ("Mathsymbol", "Sm"),
    ("Modifierletter", "Lm"),
    ("Modifiersymbol", "Sk"),
    ("Nonspacingmark", "Mn"),
    ("Number", "N"),
    ("Openpunctuation", "Ps"),
    ("Other", "C"),
    ("Otherletter", "Lo"),
    ("Othernumber", "No"),
    ("Otherpunctuation", "Po"),
    ("Othersymbol", "So"),
    ("Paragraphseparator", "Zp"),
    ("Privateuse", "Co"),
    ("Punctuation", "P"),
    ("Separator", "Z"),
    ("Spaceseparator", "Zs"),
    ("Spacingmark", "Mc"),
    ("Surrogate", "Cs"),
    ("Symbol", "S"),
    ("Titlecaseletter", "Lt"),
    ("Unassigned", "Cn"),
    ("Uppercaseletter", "Lu"),
    ("Cntrl", "Cc"),
    ("Digit", "Nd"),
    ("Punct", "P"),
];

/// The scripts that Go finds by name. Those of several words are missing: Go 1.26 drops the underscore from the name it looks
/// for, but not from its table.
const SCRIPTS: &str = "Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi Braille \
    Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Dogra \
    Duployan Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran \
    Hebrew Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer Khojki Khudawadi Lao Latin Lepcha Limbu \
    Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Medefaidrin Miao Modi Mongolian Mro Multani \
    Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya Palmyrene Phoenician Rejang Runic Samaritan \
    Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese Syriac Tagalog Tagbanwa Takri Tamil Tangsa Tangut \
    Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Yezidi Yi";

/// The class of `\p{name}`; `None` if Go knows no such name.
pub(super) fn unicode(name: &str, fold_case: bool) -> Option<ClassUnicode> {
    let name = canonical(name);
    let mut class = match name.as_str() {
        "Any" => return Some(range(0, 0x10FFFF)),
        "Assigned" => ASSIGNED.clone(),
        "Ascii" => ascii(&[('\0', '\x7F')]),
        _ => category(&name)?,
    };
    // Go has no folding tables for these.
    if fold_case && !matches!(name.as_str(), "Assigned" | "Lc" | "Casedletter") {
        fold(&mut class);
    }
    Some(class)
}

fn category(name: &str) -> Option<ClassUnicode> {
    let known = CATEGORIES.iter().find(|c| **c == name);
    let known = known.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, c)| c));
    let mut class = match known.copied() {
        Some("Cn") => {
            let mut class = ASSIGNED.clone();
            negate(&mut class);
            return Some(class);
        }
        Some("C") => {
            let mut class = ASSIGNED.clone();
            negate(&mut class);
            for part in ["gc=Cc", "gc=Cf", "gc=Co"] {
                class.union(&table(part));
            }
            return Some(class);
        }
        Some("Cs") => ClassUnicode::empty(),
        Some(c) => table(&format!("gc={c}")),
        None if SCRIPTS.split_whitespace().any(|s| s == name) => table(&format!("sc={name}")),
        None => return None,
    };
    class.intersect(&ASSIGNED);
    match known.copied() {
        Some("Mn") => class.union(&range(AHOM_RA, AHOM_RA)),
        Some("Mc") => class.difference(&range(AHOM_RA, AHOM_RA)),
        _ => {}
    }
    Some(class)
}

/// The only character whose category is another one since Unicode 15.0.
const AHOM_RA: u32 = 0x1171E;

/// What Unicode 15.0 has assigned.
static ASSIGNED: LazyLock<ClassUnicode> = LazyLock::new(|| {
    let mut class = table("age=15.0");
    // Noncharacters have an age, too.
    class.difference(&table("gc=Cn"));
    class
});

/// A property's class from the crate's tables.
fn table(query: &str) -> ClassUnicode {
    match regex_syntax::parse(&format!(r"\p{{{query}}}")).map(|hir| hir.into_kind()) {
        Ok(HirKind::Class(regex_syntax::hir::Class::Unicode(class))) => class,
        // A class of one character.
        Ok(HirKind::Literal(one)) => {
            let text = String::from_utf8_lossy(&one.0);
            ClassUnicode::new(text.chars().map(|c| ClassUnicodeRange::new(c, c)))
        }
        _ => ClassUnicode::empty(),
    }
}

/// Go's `canonicalName`: an upper case letter, then lower case ones, without `_`, `-` and space.
fn canonical(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')) {
        out.push(if out.is_empty() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_table() {
        for name in CATEGORIES.into_iter().chain(SCRIPTS.split_whitespace()).chain(ALIASES.map(|(a, _)| a)) {
            let class = unicode(name, false).unwrap_or_else(|| panic!("{name}"));
            assert!(!class.ranges().is_empty() || name == "Cs" || name == "Surrogate", "{name}");
        }
        assert!(unicode("Old_Italic", false).is_none());
        assert!(unicode("Zzz", false).is_none());
        assert_eq!(unicode("uppercase letter", false), unicode("Lu", false));
    }
}
