//! What the Public Suffix List (<https://publicsuffix.org>) says about a name: below a public suffix anybody
//! can have one. The list is compiled into the `psl` crate, so it is as old as that crate's version.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use psl::Type;

use super::{DomainPattern, LONGEST_NAME, LONGEST_TEXT, PatternError, is_address};

/// What has public suffixes below it without being one: `psl` can look a name up, and can't say what lies
/// below it. `above_suffixes.py` beside the file makes it from that crate's rules, and its first line names
/// the version; a test fails when `psl` is another.
const ABOVE_SUFFIXES: &str = include_str!("above_suffixes.txt");

/// The lines of [`ABOVE_SUFFIXES`] below its first: a name, and the labels that make a public suffix of it.
static ABOVE: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| ABOVE_SUFFIXES.lines().skip(1).filter_map(|line| line.split_once(' ')).collect());

/// Whether the list has this name as a public suffix.
pub(super) fn is_public_suffix(name: &str) -> bool {
    psl::suffix(name.as_bytes())
        .is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == name.as_bytes())
}

/// The suffix of the list's private part that a name lies below: `github.io` of `x.github.io`. Its owner lets
/// anybody have a name there. Nothing for the suffix itself.
pub fn shared_suffix(name: &str) -> Option<&str> {
    let suffix = psl::suffix(name.as_bytes()).filter(|suffix| suffix.typ() == Some(Type::Private))?;
    std::str::from_utf8(suffix.as_bytes()).ok().filter(|suffix| *suffix != name)
}

/// A public suffix that a pattern opens with everything below it: the pattern's own name, or one below that
/// (`s3.amazonaws.com` of `.amazonaws.com`). A `*` in it stands for any label. Nothing for an exact host.
pub fn suffix_below(pattern: &DomainPattern) -> Option<String> {
    let name = pattern.name();
    if !pattern.includes_subdomains() {
        None
    } else if is_public_suffix(name) {
        Some(name.to_owned())
    } else {
        ABOVE.get(name).map(|labels| format!("{labels}.{name}"))
    }
}

/// The part of a host's name that somebody registered: `a.b.github.com` → `github.com`,
/// `x.github.io` → `x.github.io` (there, everybody has a name of their own). Nothing for an address,
/// a single label, or a public suffix itself.
pub fn registrable_domain(host: &str) -> Option<&str> {
    if is_address(host) {
        return None;
    }
    psl::domain_str(host)
}

/// The name under which connections to a host are counted, so that one look finds those to all hosts of a
/// registrable domain: that domain, in lower case. An address is counted without its port; what is neither stands for
/// itself. At most 253 characters.
pub fn counted_under(host: &str) -> String {
    let short = |text: &str| text.chars().take(LONGEST_NAME).collect();
    if let Some(address) = address(host) {
        return address.to_string();
    }
    if host.len() > LONGEST_TEXT || host.contains(':') {
        return short(host);
    }
    let host = host.to_lowercase();
    short(registrable_domain(&host).unwrap_or(&host))
}

/// The group of alerts that somebody means who types this, as
/// [`TrafficBlocked::domain`](crate::events::TrafficBlocked::domain) names it: what somebody registered of a name or a
/// URL, or an address, without its port. What is a group's name already stays as it is.
pub fn group_of(text: &str) -> Result<String, PatternError> {
    let text = text.trim();
    if let Some(address) = address(text) {
        return Ok(address.to_string());
    }
    match DomainPattern::read(text) {
        Ok(pattern) => Ok(counted_under(pattern.name())),
        // Clients ask for names that no host may have, too, and those are blocked: `_x.example.com`.
        Err(PatternError::NotAName { .. }) if text.bytes().all(is_of_a_group) => Ok(counted_under(text)),
        Err(error) => Err(error),
    }
}

/// An address, alone or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

/// What stands in the name of a group that isn't an address.
fn is_of_a_group(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_type_is_the_group_that_its_alerts_are_in() {
        for (typed, group) in [
            ("pypi.org", "pypi.org"),
            (" https://x.PyPI.org/simple?a#b ", "pypi.org"),
            ("*.files.pythonhosted.org", "pythonhosted.org"),
            (".pythonhosted.org.", "pythonhosted.org"),
            ("a.team.github.io", "team.github.io"),
            ("github.io", "github.io"),
            ("www.bücher.co.uk", "xn--bcher-kva.co.uk"),
            ("_dmarc.Example.com", "example.com"),
            ("198.51.100.3", "198.51.100.3"),
            ("198.51.100.3:443", "198.51.100.3"),
            ("[2001:DB8::1]:443", "2001:db8::1"),
            ("[2001:db8:0::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(group_of(typed).as_deref(), Ok(group), "{typed}");
            assert_eq!(group_of(group).as_deref(), Ok(group));
        }
        for no_group in
            ["", "pypi", "a b.com", "a#b.example com", "ftp://x.org", "x.org:443", "0x7f.1", "a..b"]
        {
            assert!(group_of(no_group).is_err(), "{no_group}: {:?}", group_of(no_group));
        }
    }

    #[test]
    fn what_lies_above_public_suffixes_is_as_the_list_has_it() {
        assert!(ABOVE.len() > 700);
        for (name, labels) in ABOVE.iter() {
            let suffix = format!("{labels}.{name}").replace('*', "any");
            assert!(is_public_suffix(&suffix), "{suffix} is no public suffix");
            assert!(!is_public_suffix(name), "{name} is a public suffix itself");
            if let Some((_, above)) = name.split_once('.').filter(|(_, above)| above.contains('.')) {
                assert!(is_public_suffix(above) || ABOVE.contains_key(above), "{above} is missing");
            }
        }
    }

    #[test]
    fn what_lies_above_public_suffixes_is_of_the_list_that_is_compiled_in() {
        let lock = include_str!("../../../Cargo.lock");
        let made_from = ABOVE_SUFFIXES.lines().next().and_then(|line| line.strip_prefix("# psl ")).unwrap();
        assert!(
            lock.contains(&format!("name = \"psl\"\nversion = \"{made_from}\"\n")),
            "psl has changed: run python3 shared/src/domain/above_suffixes.py"
        );
    }
}
