//! Whatever stands in the files: it is read in time, on any stack, and what is said of it is bounded.

use std::time::{Duration, Instant};

use egress::adapter::reading::Reader;
use egress::adapter::settings::Settings;
use egress::adapter::writing::Writer;
use egress::config::Config;
use egress::policy::Policy;
use egress::validation::validate;
use proptest::prelude::*;

use crate::{ASKING, CEDAR, SMALLEST, TOML};

/// What is said of files, which has to be little, and visible.
fn said(toml: &[u8], cedar: &[u8]) -> String {
    let Err(mistakes) = validate(toml, cedar) else { return String::new() };
    let text = mistakes.to_string();
    assert!(!text.is_empty() && text.len() <= 3_000, "{}: {text}", text.len());
    assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
    let lines = |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').count();
    let most = lines(toml).max(lines(cedar));
    assert!(
        mistakes.iter().all(|mistake| mistake.line().is_none_or(|line| (1..=most).contains(&line))),
        "{text}"
    );
    text
}

/// Whether all functions would start with them.
fn functions_start(toml: &[u8], cedar: &[u8]) -> bool {
    let (Ok(toml), Ok(cedar)) = (std::str::from_utf8(toml), std::str::from_utf8(cedar)) else { return false };
    let (Ok(config), Ok(policy)) = (Config::parse(toml), Policy::parse(cedar)) else { return false };
    let is_right = |(name, settings): (&String, &Settings)| {
        Reader::new(name, settings).is_ok() && Writer::new(name, settings).is_ok()
    };
    policy.check(&config).is_ok() && config.adapters.iter().all(is_right)
}

/// Files that are nested as deep as can be, looked at on a small stack.
#[test]
fn what_is_nested_too_deep_is_refused_on_the_smallest_stack() {
    let adapter = |more: &str| format!("{SMALLEST}[adapters.a]\nticket = \"$.a\"\n{more}");
    let path = |path: &str| adapter(&format!("id = \"{path}\"\n"));
    let template = |body: &str| {
        adapter(&format!("[adapters.a.answer]\nurl = \"https://a.example/\"\nbody = '{body}'\n"))
    };
    let key = vec!["a"; 79].join(".");
    let tables = format!("[{key}]\n{}{key} = 1{}", format!("{key} = {{ ").repeat(78), " }".repeat(78));
    let texts = [
        (tables, "tables and lists are nested more than 16 deep"),
        (format!("a = {}", "[".repeat(100_000)), ""),
        (format!("a = {}", "{ a = ".repeat(50_000)), ""),
        (vec!["a"; 100_000].join("."), ""),
        (path(&"(".repeat(990)), "filters"),
        (path(&format!("$[?{}@.a{}]", "(".repeat(31), ")".repeat(31))), ""),
        (path(&format!("$[?{}@.a{}]", "!(@.a == 1 && ".repeat(31), ")".repeat(31))), ""),
        (path(&format!("${}{}", "[?@".repeat(500), "]".repeat(500))), "characters"),
        (path(&format!("${}{}", "[?@".repeat(20), "]".repeat(20))), "filters"),
        (template(&format!("{{{{ 1{} }}}}", "+1".repeat(1_990))), ""),
        (template(&format!("{{{{ by{} }}}}", ".a".repeat(1_990))), "undefined value"),
        (template(&format!("{{{{ by{} }}}}", "()".repeat(1_990))), ""),
        (template(&format!("{{{{ {}1 }}}}", "-".repeat(3_900))), ""),
        (template(&format!("{}{}", "{% if 1 %}".repeat(180), "{% endif %}".repeat(180))), ""),
        (template(&"x".repeat(4_001)), "it has more than 4000 characters"),
        (template("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"), "recursion limit exceeded"),
        (template("{% include \"body answer\" %}"), "could not render include"),
    ];
    let look = move || {
        for (text, expected) in texts {
            let said = said(text.as_bytes(), ASKING.as_bytes());
            assert!(said.contains(expected), "{}…\n{said}", text.chars().take(100).collect::<String>());
        }
    };
    std::thread::Builder::new().stack_size(512 * 1024).spawn(look).unwrap().join().unwrap();
}

#[test]
fn what_would_go_on_for_ever_is_refused_in_time() {
    let loops = format!("{}{}", "{% for a in range(9999) %}".repeat(9), "{% endfor %}".repeat(9));
    let endless = format!(
        "{SMALLEST}[adapters.a]\nticket = \"$.a\"\n[adapters.a.answer]\nurl = \"https://a.example/\"\nbody = '{loops}'\n"
    );
    let start = Instant::now();
    assert!(said(endless.as_bytes(), ASKING.as_bytes()).contains("ran out of fuel"));
    let wrong = format!("denied_domains = [{}]\n", "3,\n".repeat(90_000));
    assert!(said(wrong.as_bytes(), ASKING.as_bytes()).contains("… and "));
    let filters = format!("$[?{}@.a{}]", "@[?".repeat(3), "]".repeat(3));
    let when = |n: usize| format!("\"{filters}{n}\" = []\n");
    let whens: String = (0..3_000).map(when).collect();
    let slow = format!("{SMALLEST}[adapters.a]\nticket = \"$.a\"\n[adapters.a.comments.when]\n{whens}");
    said(slow.as_bytes(), ASKING.as_bytes());
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// Places of a text that are cut out, and what is put there.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, String)>> {
    let words = prop::sample::select(vec![
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "\"\"\"",
        "=",
        ".",
        ",",
        "\n",
        "#",
        "//",
        "[[",
        "3",
        "true",
        "1979-05-27",
        "\\u0000",
        "{{",
        "}}",
        "{%",
        "$",
        "$.",
        "@",
        "(",
        ")",
        "permit",
        "forbid",
        "@id(\"a\")",
        "when",
        "Egress::Group::\"x\"",
    ]);
    let put = prop_oneof![words.prop_map(str::to_owned), ".{0,5}"];
    prop::collection::vec((any::<prop::sample::Index>(), 0..30_usize, put), 0..3)
}

fn changed(text: &str, changes: &[(prop::sample::Index, usize, String)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, cut, put) in changes {
        let start = at.index(bytes.len() + 1);
        let end = bytes.len().min(start + cut);
        bytes.splice(start..end, put.bytes());
    }
    bytes
}

proptest! {
    #[test]
    fn fuzz_any_files(toml in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,300}", cedar in ".{0,300}") {
        said(&toml, cedar.as_bytes());
        said(text.as_bytes(), &toml);
    }

    #[test]
    fn fuzz_the_shipped_files_changed_anywhere(toml in changes(), cedar in changes()) {
        let (toml, cedar) = (changed(TOML, &toml), changed(CEDAR, &cedar));
        prop_assert_eq!(said(&toml, &cedar).is_empty(), functions_start(&toml, &cedar));
    }

    #[test]
    fn fuzz_any_path_and_template(path in "(\\$|@|\\.|\\[|\\]|\\?|\\(|\\)|a|'x'|==|&&|\\*|:|1|,|!){0,40}", body in "(\\{\\{|\\}\\}|\\{%|%\\}| |for|in|if|endif|text|\\||upper|\\(|\\)|\"|1|~){0,30}") {
        let text = format!("{SMALLEST}[adapters.a]\nticket = '''{path}'''\n[adapters.a.answer]\nurl = 'https://a.example/{body}'\nbody = '{body}'\n");
        said(text.as_bytes(), ASKING.as_bytes());
    }
}
