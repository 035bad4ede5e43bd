//! What people do to rule groups by hand. AWS takes nothing that it refuses from us, so neither does this.

use std::collections::BTreeSet;

use egress::firewall::Content;

use super::people::some_name;
use crate::memory::Chance;

/// A rule that looks like one of ours, for a name that nobody has asked for.
const FORGED: &str = "pass tls $HOME_NET any -> $EXTERNAL_NET any (ssl_state:client_hello; tls.sni; content:\"forged.example.com\"; startswith; nocase; endswith; alert; msg:\"egress grant forged.example.com\"; metadata:grant req-0123456789ab; flow:to_server, established; sid:1000500; rev:1;)\n";
/// A rule of somebody else's.
const FOREIGN: &str = "pass tcp any any -> any any (msg:\"for a test\"; sid:17; rev:1;)\n";

/// What a person makes of a rule group. `others` are earlier and other contents that they have at hand.
pub(super) fn edit(
    content: &Content,
    others: &[Content],
    own: &BTreeSet<String>,
    what: u64,
) -> (String, Content) {
    let mut chance = Chance::new(what);
    match content {
        Content::Rules(text) => {
            let texts: Vec<&String> = others
                .iter()
                .filter_map(|content| match content {
                    Content::Rules(text) => Some(text),
                    Content::DomainList(_) => None,
                })
                .collect();
            let (what, text) = edit_rules(text, &texts, &mut chance);
            (what.to_owned(), Content::Rules(text))
        }
        Content::DomainList(targets) => {
            let (what, targets) = edit_list(targets, own, &mut chance);
            (what, Content::DomainList(targets))
        }
    }
}

/// Whether AWS would take it: it has room, and there is something in it.
pub(super) fn is_taken(content: &Content, capacity: u64) -> bool {
    match content {
        Content::Rules(text) => {
            let rules = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
            (1..=capacity).contains(&(rules as u64))
        }
        Content::DomainList(targets) => !targets.is_empty() && 2 * (targets.len() as u64) < capacity,
    }
}

fn edit_rules(text: &str, others: &[&String], chance: &mut Chance) -> (&'static str, String) {
    let lines: Vec<&str> = text.lines().collect();
    let tls: Vec<usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.starts_with("pass tls "))
        .map(|(at, _)| at)
        .collect();
    let one = chance.pick(&tls).copied().unwrap_or(0);
    let rest = |keep: &dyn Fn(usize) -> bool| -> String {
        let kept = lines.iter().enumerate().filter(|(at, _)| keep(*at));
        kept.flat_map(|(_, line)| [line, "\n"]).collect()
    };
    match chance.below(8) {
        0 if !text.contains("sid:17;") => ("a rule of somebody else's is added", format!("{text}{FOREIGN}")),
        1 if !text.contains("sid:1000500;") => ("a forged rule is added", format!("{text}{FORGED}")),
        2 => ("a pattern's rules are removed", rest(&|at| at != one && at != one + 1)),
        3 => ("one rule of two is removed", rest(&|at| at != one)),
        4 => ("everything is replaced", FOREIGN.to_owned()),
        5 if !text.contains("sid:1000600;") => {
            let renumber = |(at, line): (usize, &&str)| match line.rsplit_once("; sid:") {
                Some((start, _)) if at == one => format!("{start}; sid:1000600; rev:1;)\n"),
                _ => format!("{line}\n"),
            };
            ("a sid is changed", lines.iter().enumerate().map(renumber).collect())
        }
        6 => match chance.pick(others) {
            Some(other) => ("an older or another group's text is put here", (*other).clone()),
            None => ("a comment is added", format!("{text}# looked at\n")),
        },
        _ => ("a comment is added", format!("{text}# looked at\n")),
    }
}

fn edit_list(
    targets: &BTreeSet<String>,
    own: &BTreeSet<String>,
    chance: &mut Chance,
) -> (String, BTreeSet<String>) {
    let (ours, theirs): (Vec<&String>, Vec<&String>) =
        targets.iter().partition(|target| own.contains(*target));
    let mut after = targets.clone();
    let what = match chance.below(7) {
        0 => {
            let name = format!("intranet-{}.example.edu", chance.below(50));
            after.insert(name.clone());
            format!("others add {name}")
        }
        1 | 2 => {
            let name = some_name(chance);
            let bare = name.trim_start_matches('.');
            if !after.iter().any(|target| target.trim_start_matches('.') == bare) {
                after.insert(name.to_owned());
            }
            format!("others add {name}, unless it is there")
        }
        3 => match chance.pick(&theirs) {
            Some(name) => {
                after.remove(*name);
                format!("others remove {name}")
            }
            None => "nothing is changed".to_owned(),
        },
        4 => match chance.pick(&ours) {
            Some(name) => {
                after.remove(*name);
                format!("{name} is removed, which is ours")
            }
            None => "nothing is changed".to_owned(),
        },
        5 => {
            after.retain(|target| !own.contains(target));
            "all of ours is removed".to_owned()
        }
        _ => {
            after.retain(|target| !own.contains(target));
            after.extend((0..ours.len()).map(|place| format!("instead-{place}.example.edu")));
            "all of ours is replaced by others'".to_owned()
        }
    };
    (what, after)
}
