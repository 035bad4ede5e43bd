//! Names of domains as they are granted: normalised, checked, and compared as the firewall does.

mod suffixes;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

pub use self::suffixes::{counted_under, group_of, registrable_domain, shared_suffix, suffix_below};

/// The longest text that is looked at at all, in bytes: a URL that somebody pasted.
const LONGEST_TEXT: usize = 2_048;
/// The longest domain name in its ASCII form without the root's dot (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 253;
/// The longest label (RFC 1035, 2.3.4).
const LONGEST_LABEL: usize = 63;

/// A domain that can be granted: `github.com` is that host only, `.github.com` is it and every host
/// below it. Always lower case, always A-labels (RFC 5890): it can stand in a rule as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainPattern {
    /// The name without a leading dot.
    name: String,
    /// Whether the hosts below the name are meant too.
    subdomains: bool,
}

/// Why a text is not a domain that can be granted. Each is one sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing was given.
    #[error("the domain is empty: give a name such as github.com or .github.com")]
    Empty,
    /// More text than any domain or URL has.
    #[error("the domain is too long: a name has at most {LONGEST_NAME} characters")]
    TooLong,
    /// A URL of something that the firewall's rules don't name.
    #[error("{scheme}:// can't be allowed by name: only TLS and HTTP carry the name that the firewall reads")]
    Scheme {
        /// The scheme in front of `://`.
        scheme: String,
    },
    /// A URL with a user in front of the host, which is how one host is dressed up as another.
    #[error("a URL with a user name in it (…@…) is not taken: give the domain alone")]
    UserInfo,
    /// A port behind the name.
    #[error("leave out the port: a domain is allowed on every port on which it speaks TLS or HTTP")]
    Port,
    /// A star anywhere but in front.
    #[error("a * can only stand in front, as in *.github.com: rules match whole labels from the right")]
    Wildcard,
    /// An address where a name belongs.
    #[error("{address} is an IP address: only names can be allowed, since the firewall decides by name")]
    IpAddress {
        /// The address as it was given.
        address: String,
    },
    /// Two dots together, or one in front of the other.
    #[error("{name} has an empty label: two dots stand together")]
    EmptyLabel {
        /// The name as it was given.
        name: String,
    },
    /// A label that is longer than DNS allows.
    #[error("the label {label} is too long: a label has at most {LONGEST_LABEL} characters")]
    LongLabel {
        /// The label, cut to the longest that is allowed.
        label: String,
    },
    /// `localhost`, or a top-level domain.
    #[error("{name} is a single label: give a whole name such as github.com")]
    SingleLabel {
        /// The label.
        name: String,
    },
    /// Anything that is no host name (spaces, underscores, quotes, unassigned code points, …).
    #[error(
        "{name} is not the name of a host: letters, digits and inner hyphens only, or their international form (RFC 5891)"
    )]
    NotAName {
        /// What was given, with everything but letters, digits, dots and hyphens escaped.
        name: String,
    },
    /// A suffix below which anybody can have a name (Public Suffix List, <https://publicsuffix.org>).
    #[error(
        "{suffix} is a public suffix: anybody can have a name below it, so ask for the one name that is needed, such as example.{suffix}"
    )]
    PublicSuffix {
        /// The suffix.
        suffix: String,
    },
    /// Everything below a name that has public suffixes below it: other people's names.
    #[error(
        "{pattern} would open {suffix} too, a public suffix below which anybody can have a name: ask for the hosts that are needed, one by one"
    )]
    AbovePublicSuffix {
        /// What was asked for.
        pattern: DomainPattern,
        /// A suffix that it would open; a `*` in it stands for any label.
        suffix: String,
    },
    /// A name that the operator never allows.
    #[error("{pattern} would let {denied} pass, which is on the deny list")]
    Denied {
        /// What was asked for.
        pattern: DomainPattern,
        /// The entry of the deny list that it would open.
        denied: DomainPattern,
    },
}

impl DomainPattern {
    /// Takes what people type: `https://GitHub.com/x`, `*.github.com`, `.github.com`, `bücher.de`, a
    /// trailing dot; and refuses what must never be near a rule.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = Self::read(text)?;
        check_suffix(&pattern)?;
        Ok(pattern)
    }

    /// A pattern of the ledger, a rule group, or an operator's list: [`DomainPattern::parse`] without the
    /// judgement on public suffixes. That list grows, and a grant that was given before must stay readable,
    /// or it could not be ended; and to deny a whole suffix is an operator's good right.
    pub fn read(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        if text.len() > LONGEST_TEXT {
            return Err(PatternError::TooLong);
        }
        let host = host_of_url(text)?;
        let (subdomains, name) = match host.strip_prefix("*.").or_else(|| host.strip_prefix('.')) {
            Some(below) => (true, below),
            None => (false, host),
        };
        let name = name.strip_suffix('.').unwrap_or(name);
        let name = ascii_name(name)?;
        check_labels(&name)?;
        Ok(Self { name, subdomains })
    }

    /// [`DomainPattern::parse`], and then held against the operator's deny list.
    pub fn requested(text: &str, deny_list: &[Self]) -> Result<Self, PatternError> {
        let pattern = Self::parse(text)?;
        pattern.check_against(deny_list)?;
        Ok(pattern)
    }

    /// Refuses what would let a host of the deny list pass: what an entry covers, and what covers an entry.
    pub fn check_against(&self, deny_list: &[Self]) -> Result<(), PatternError> {
        let denied = deny_list.iter().find(|denied| denied.covers(self) || self.covers(denied));
        match denied {
            Some(denied) => Err(PatternError::Denied { denied: denied.clone(), pattern: self.clone() }),
            None => Ok(()),
        }
    }

    /// The name without a leading dot, lower case, in A-labels.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the hosts below the name are meant too.
    pub fn includes_subdomains(&self) -> bool {
        self.subdomains
    }

    /// Whether the firewall lets a connection to `host` pass by this pattern's rules. `host` is what
    /// the client wrote into the SNI or the Host header, in any case. A trailing dot does not match, as
    /// it does not in the rules. The firewall is stricter in two places: it reads no SNI of more than
    /// 255 characters, and compares a Host header that has a port without folding its case.
    pub fn matches(&self, host: &str) -> bool {
        let (host, name) = (host.as_bytes(), self.name.as_bytes());
        let Some(start) = host.len().checked_sub(name.len()) else { return false };
        let (before, end) = host.split_at(start);
        end.eq_ignore_ascii_case(name) && (before.is_empty() || (self.subdomains && before.ends_with(b".")))
    }

    /// Whether everything that `other` matches is matched by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        if other.subdomains && !self.subdomains {
            return false;
        }
        self.matches(&other.name)
    }

    /// How a person reads it: `.bücher.de` for `.xn--bcher-kva.de`. For display beside the A-label
    /// form, never instead of it: look-alike letters are the point of the A-label form.
    pub fn to_unicode(&self) -> String {
        let (name, _) = idna::domain_to_unicode(&self.name);
        if self.subdomains { format!(".{name}") } else { name }
    }
}

/// The host of what was typed, without scheme and path; refuses user names and ports.
fn host_of_url(text: &str) -> Result<&str, PatternError> {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            rest
        }
        Some((scheme, _)) => return Err(PatternError::Scheme { scheme: readable(scheme) }),
        None => text,
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (host, _) = rest.split_at(end);
    if host.is_empty() {
        return Err(PatternError::Empty);
    }
    if host.contains('@') {
        return Err(PatternError::UserInfo);
    }
    if is_address(host) {
        return Err(PatternError::IpAddress { address: readable(host) });
    }
    if let Some((_, port)) = host.rsplit_once(':')
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(PatternError::Port);
    }
    Ok(host)
}

/// The name in A-labels and lower case, with a reason of its own for what people get wrong.
fn ascii_name(name: &str) -> Result<String, PatternError> {
    if name.is_empty() {
        return Err(PatternError::Empty);
    }
    if name.contains('*') {
        return Err(PatternError::Wildcard);
    }
    if name.split('.').any(str::is_empty) {
        return Err(PatternError::EmptyLabel { name: readable(name) });
    }
    if let Some(label) = name.split('.').find(|label| label.is_ascii() && label.len() > LONGEST_LABEL) {
        return Err(PatternError::LongLabel { label: readable(label) });
    }
    // Hyphens in the third and fourth place are in use: `r3---sn-4g5e6nsz.googlevideo.com`.
    let ascii = Uts46::new()
        .to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| {
            if name.len() > LONGEST_NAME {
                PatternError::TooLong
            } else {
                PatternError::NotAName { name: readable(name) }
            }
        })?
        .into_owned();
    // Full-width digits and ideographic dots become an address only here.
    if is_address(&ascii) {
        return Err(PatternError::IpAddress { address: ascii });
    }
    Ok(ascii)
}

/// What DNS asks of a host's name, whatever the conversion let through.
fn check_labels(name: &str) -> Result<(), PatternError> {
    let ok = |label: &str| {
        !label.is_empty()
            && label.len() <= LONGEST_LABEL
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if name.len() > LONGEST_NAME {
        return Err(PatternError::TooLong);
    }
    if !name.split('.').all(ok) {
        return Err(PatternError::NotAName { name: readable(name) });
    }
    if !name.contains('.') {
        return Err(PatternError::SingleLabel { name: name.to_owned() });
    }
    Ok(())
}

/// Refuses the names below which anybody can have one, and what would open such names.
fn check_suffix(pattern: &DomainPattern) -> Result<(), PatternError> {
    if suffixes::is_public_suffix(&pattern.name) {
        return Err(PatternError::PublicSuffix { suffix: pattern.name.clone() });
    }
    match suffix_below(pattern) {
        Some(suffix) => Err(PatternError::AbovePublicSuffix { pattern: pattern.clone(), suffix }),
        None => Ok(()),
    }
}

/// Whether a client that resolves this name would take it for an address: RFC 3986 literals, and what
/// `inet_aton` reads (a last label of digits, or hexadecimal: `0x7f.1`, `2130706433`), as the URL
/// Standard's "ends in a number" has it.
fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or(host);
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// Text from outside for an error message: short, and nothing in it that a terminal or a chat reads
/// as anything but text.
fn readable(text: &str) -> String {
    text.chars()
        .take(LONGEST_LABEL)
        .flat_map(|c| {
            if c.is_alphanumeric() || "._-[]:".contains(c) { vec![c] } else { c.escape_unicode().collect() }
        })
        .collect()
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.subdomains {
            f.write_str(".")?;
        }
        f.write_str(&self.name)
    }
}

impl FromStr for DomainPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for DomainPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::read(&text)
    }
}

impl From<DomainPattern> for String {
    fn from(pattern: DomainPattern) -> Self {
        pattern.to_string()
    }
}
