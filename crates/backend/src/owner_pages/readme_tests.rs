//! What becomes of Markdown that means harm.

use proptest::prelude::*;

use super::*;

#[test]
fn tags_that_are_not_on_the_list_become_text() {
    for (markdown, html) in [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a <script src=x> b", "<p>a &lt;script src=x&gt; b</p>\n"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("<iframe\nsrc=\"x\">", "&lt;iframe\nsrc=\"x\"&gt;"),
        ("<SVG/onload=x>", "<p>&lt;SVG/onload=x&gt;</p>\n"),
        ("a <style>b</style>", "<p>a &lt;style&gt;b&lt;/style&gt;</p>\n"),
        ("1 < 2 <= 3", "<p>1 &lt; 2 &lt;= 3</p>\n"),
    ] {
        assert_eq!(render(markdown), html, "{markdown}");
    }
}

#[test]
fn attributes_and_addresses_that_are_not_on_the_list_go() {
    let rel = "rel=\"noopener noreferrer nofollow\"";
    for (markdown, html) in [
        ("[x](javascript:alert(1))", format!("<p><a {rel}>x</a></p>\n")),
        ("<a href=\"data:text/html,x\" onclick=\"y\">x</a>", format!("<p><a {rel}>x</a></p>\n")),
        (
            "[x](https://a.example \"t\")",
            format!("<p><a href=\"https://a.example\" title=\"t\" {rel}>x</a></p>\n"),
        ),
        (
            "[x](#part) [y](../z)",
            format!("<p><a href=\"#part\" {rel}>x</a> <a href=\"../z\" {rel}>y</a></p>\n"),
        ),
        ("<b class=c id=d style=e>x</b>", "<p><b class=\"c\" id=\"d\">x</b></p>\n".to_owned()),
        ("![a *picture*](https://spy.example/x.png)", "<p>a <em>picture</em></p>\n".to_owned()),
        ("a <!-- <script> --> b", "<p>a  b</p>\n".to_owned()),
    ] {
        assert_eq!(render(markdown), html, "{markdown}");
    }
}

#[test]
fn what_people_write_is_shown() {
    let text = render(
        "# T\n\n```rust\nlet x = \"<b>\";\n```\n\n| a | b |\n|---|---|\n| 1 | ~~2~~ |\n\n<details>\n<summary>More</summary>\n\n* one\n\n</details>\n\nH<sub>2</sub>O",
    );
    for part in [
        "<h1>T</h1>",
        "<pre><code class=\"language-rust\">let x = \"&lt;b&gt;\";",
        "<th>a</th>",
        "<td><del>2</del></td>",
        "<details>\n<summary>More</summary>\n<ul>\n<li>one</li>\n</ul>\n</details>",
        "H<sub>2</sub>O",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn nothing_makes_it_slow_or_large() {
    let most = 50_000;
    let open = (0..2_000).map(|n| format!("<b class=c{n}>")).collect::<Vec<_>>().concat();
    for text in [
        "> ".repeat(most / 2),
        "<div>".repeat(most / 5),
        "<a ".repeat(most / 3),
        "[".repeat(most),
        "*a_".repeat(most / 3),
        format!("{open}{}", "x\n\n".repeat(7_000)),
        format!("<div>{open}{}", "<p>".repeat(7_000)),
        "- ".repeat(most / 2),
        "<b><p></b>".repeat(most / 10),
        "[^1]".repeat(most / 4) + "\n\n[^1]: x",
        "<table>".repeat(most / 7),
        format!("{}|\n{}|\n{}", "|a".repeat(most / 5), "|-".repeat(most / 5), "|\n".repeat(most / 10)),
        format!("|a|\n|-|\n{}", "|<b>\n".repeat(most / 5)),
    ] {
        let begun = std::time::Instant::now();
        let html = render(&text);
        let head: String = text.chars().take(20).collect();
        assert!(html.len() < 40 * most, "{head}: {} bytes", html.len());
        assert!(begun.elapsed().as_secs() < 10, "{head}: {:?}", begun.elapsed());
    }
}

/// Reads what [`render`] gives as a browser does, and says what is wrong with it.
fn fault(html: &str) -> Option<String> {
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        let Some(tag) = RawTag::read(after) else { return Some(format!("no tag: {after}")) };
        if !TAGS.contains(&tag.name) {
            return Some(format!("tag {}", tag.name));
        }
        let own = ATTRIBUTES.iter().find(|(name, _)| *name == tag.name).map_or(&[][..], |(_, own)| *own);
        let mut attributes = tag.text.trim_end_matches('>').split_once(' ').map_or("", |(_, rest)| rest);
        while let Some((name, value)) = attributes.split_once("=\"") {
            let name = name.trim();
            if !own.contains(&name) && !["class", "id", "rel"].contains(&name) {
                return Some(format!("attribute {name} of {}", tag.name));
            }
            let Some((value, more)) = value.split_once('"') else {
                return Some(format!("open: {value}"));
            };
            if name == "href"
                && let Ok(url) = url::Url::parse(value)
                && !SCHEMES.contains(&url.scheme())
            {
                return Some(format!("scheme {}", url.scheme()));
            }
            attributes = more;
        }
        rest = after.strip_prefix(tag.text).unwrap_or_default();
    }
    None
}

#[test]
fn the_judge_sees_faults() {
    for bad in
        ["<script>", "<b onclick=\"x\">", "<a href=\"javascript:x\">", "<a class=\"a\" href=\"data:x\">"]
    {
        assert!(fault(bad).is_some(), "{bad}");
    }
    assert_eq!(fault("<a href=\"https://x\" rel=\"nofollow\">x</a> &lt;script&gt;"), None);
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("<script>"),
        Just("</script>"),
        Just("<a href=\""),
        Just("javascript:alert(1)"),
        Just("\">"),
        Just("'"),
        Just("<img src=x onerror=y>"),
        Just("<svg>"),
        Just("<math>"),
        Just("<table>"),
        Just("<td>"),
        Just("</"),
        Just("<b class='"),
        Just("<!--"),
        Just("-->"),
        Just("<![CDATA["),
        Just("]]>"),
        Just("<p style=x>"),
        Just("\n\n"),
        Just("\n"),
        Just(" "),
        Just("> "),
        Just("- "),
        Just("```"),
        Just("`"),
        Just("[x]("),
        Just(")"),
        Just("![y]("),
        Just("&#106;avascript:"),
        Just("data:text/html,"),
        Just("<"),
        Just(">"),
        Just("&lt;"),
        Just("\u{0}"),
        Just("<style>"),
        Just("<noscript>"),
        Just("<textarea>"),
        Just("<title>"),
        Just("<details open ontoggle=x>"),
        Just("<a\thref\n=\n"),
        Just("|a|b|\n|-|-|\n"),
        Just("[x]: javascript:y\n"),
        Just("<javascript:x>"),
        Just("<http://x>"),
        Just("java\nscript:"),
    ];
    prop::collection::vec(prop_oneof![4 => piece.prop_map(str::to_owned), 1 => "\\PC{0,6}"], 0..24)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_gives_a_tag_or_an_address_that_is_not_on_the_list(text in hostile()) {
        let html = render(&text);
        prop_assert_eq!(fault(&html), None, "{}", html);
        prop_assert!(!html.to_ascii_lowercase().contains("<script"));
    }
}
