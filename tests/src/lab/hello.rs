//! A TLS 1.3 `ClientHello`, byte by byte: probes need ones that no TLS library would send.

/// A `ClientHello` with `name` as its server name, or without one; `padding` bytes make it longer, as
/// the keys of post-quantum key exchange do.
pub(crate) fn client_hello(name: Option<&str>, padding: usize) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = name {
        let entry = [&[0], with_length(name.as_bytes()).as_slice()].concat();
        extensions.extend(extension(0, &with_length(&entry)));
    }
    extensions.extend(extension(43, &[2, 3, 4])); // version: TLS 1.3
    extensions.extend(extension(10, &[0, 2, 0, 29])); // group: x25519
    extensions.extend(extension(13, &[0, 6, 4, 3, 8, 4, 4, 1])); // signatures: ECDSA and RSA with SHA-256
    let share = [&[0, 29], with_length(&[9; 32]).as_slice()].concat();
    extensions.extend(extension(51, &with_length(&share)));
    if padding > 0 {
        extensions.extend(extension(21, &vec![0; padding]));
    }
    let ciphers = [0x13, 0x01, 0x13, 0x02];
    let body = [
        [3, 3].as_slice(),
        &[7; 32],               // random
        &[0],                   // no session
        &with_length(&ciphers), // AES-GCM
        &[1, 0],                // no compression
        &with_length(&extensions),
    ]
    .concat();
    let message = [&[1, 0], with_length(&body).as_slice()].concat();
    [&[22, 3, 1], with_length(&message).as_slice()].concat()
}

/// The same in two TLS records, the first of which holds so many bytes of the message.
pub(crate) fn in_two_records(hello: &[u8], bytes: usize) -> Vec<u8> {
    let (head, message) = hello.split_at_checked(5).unwrap_or((hello, &[]));
    let (first, second) = message.split_at_checked(bytes).unwrap_or((message, &[]));
    let kind = head.get(..3).unwrap_or_default();
    [first, second].map(|part| [kind, with_length(part).as_slice()].concat()).concat()
}

fn extension(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[0, kind], with_length(content).as_slice()].concat()
}

/// The content behind its length in two bytes.
fn with_length(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    [length.to_be_bytes().as_slice(), content].concat()
}
