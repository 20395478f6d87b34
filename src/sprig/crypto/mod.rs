//! Passwords, encryption, keys and certificates: `bcrypt`, `htpasswd`, `derivePassword`, `encryptAES`, `decryptAES`,
//! `genPrivateKey`, and the certificates of `certs`.
//!
//! Ported from Sprig 3.3 `crypto.go`. Salts, vectors and keys come from the host's randomness.

use aes::Aes256;
use aes::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::gotmpl::{CallError, FuncTable, State, func};
use crate::value::Str;

use super::encoding::base64;
use keys::PrivateKey;

mod certs;
mod der;
mod dsa;
mod ec;
mod keys;
mod lanes;
mod pem;
mod primes;
mod rsa_key;
mod sieve;

const BLOCK: usize = 16;

/// What a password hash counts for in steps of a template: it is slow by design.
const HASH_STEPS: u64 = 500_000;
/// What the making of a key counts for.
const KEY_STEPS: u64 = 3_000_000;

pub fn register(table: &mut FuncTable) {
    table.add(func("bcrypt", |st: &mut State, password: Str| bcrypt(st, &password)));
    table.add(func("htpasswd", htpasswd));
    table.add(func("derivePassword", derive_password));
    table.add(func("encryptAES", encrypt_aes));
    table.add(func("decryptAES", decrypt_aes));
    table.add(func("genPrivateKey", gen_private_key));
    certs::register(table);
}

/// `$2a$10$…` in bcrypt's own base64.
fn bcrypt(st: &mut State, password: &[u8]) -> Result<String, CallError> {
    use ::base64::engine::general_purpose::NO_PAD;
    use ::base64::{Engine, alphabet, engine::GeneralPurpose};
    const COST: u32 = 10;
    if password.len() > 72 {
        return Ok("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".into());
    }
    st.charge_steps(HASH_STEPS)?;
    let mut salt = [0; 16];
    st.host.random(&mut salt);
    // The key ends with a zero byte where there is room for one.
    let mut key = password.to_vec();
    key.push(0);
    key.truncate(72);
    let hash = ::bcrypt::bcrypt(COST, salt, &key);
    let engine = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);
    Ok(format!("$2a${COST}${}{}", engine.encode(salt), engine.encode(&hash[..23])))
}

fn htpasswd(st: &mut State, user: Str, password: Str) -> Result<Vec<u8>, CallError> {
    if user.contains(&b':') {
        return Ok([b"invalid username: ".as_slice(), &user].concat());
    }
    Ok([&*user, b":", bcrypt(st, &password)?.as_bytes()].concat())
}

/// The templates of the master password algorithm, by the type of password.
fn password_templates(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

const fn template_characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// The master password algorithm: scrypt over the password, HMAC over the site, templates over that.
fn derive_password(
    st: &mut State,
    counter: u32,
    kind: Str,
    password: Str,
    user: Str,
    site: Str,
) -> Result<Vec<u8>, CallError> {
    const SCOPE: &[u8] = b"com.lyndir.masterpassword";
    let Some(templates) = password_templates(&kind) else {
        return Ok([b"cannot find password template ".as_slice(), &kind].concat());
    };
    st.charge_steps(HASH_STEPS)?;
    let failed = |e: &dyn std::fmt::Display| CallError::Msg(format!("failed to derive password: {e}"));
    let salt = [SCOPE, &(user.len() as u32).to_be_bytes(), &user].concat();
    let params = scrypt::Params::new(15, 8, 2).map_err(|e| failed(&e))?;
    let mut key = [0u8; 64];
    scrypt::scrypt(&password, &salt, &params, &mut key).map_err(|e| failed(&e))?;

    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).map_err(|e| failed(&e))?;
    for part in [SCOPE, &(site.len() as u32).to_be_bytes(), &site, &counter.to_be_bytes()] {
        mac.update(part);
    }
    let seed = mac.finalize().into_bytes();
    let template = templates[usize::from(seed[0]) % templates.len()];
    let pick = |(class, byte): (u8, &u8)| {
        let from = template_characters(class);
        from[usize::from(*byte) % from.len()]
    };
    // Templates are at most 20 long, the seed has 32 bytes.
    Ok(template.bytes().zip(&seed[1..]).map(pick).collect())
}

/// The password's first 32 bytes, filled up with zeros.
fn aes_key(password: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let n = password.len().min(32);
    key[..n].copy_from_slice(&password[..n]);
    key
}

fn blocks(text: &[u8]) -> Vec<Block<Aes256>> {
    text.chunks_exact(BLOCK)
        .map(|chunk| {
            let mut block = Block::<Aes256>::default();
            block.copy_from_slice(chunk);
            block
        })
        .collect()
}

fn encrypt_aes(st: &mut State, password: Str, text: Str) -> Result<String, CallError> {
    if text.is_empty() {
        return Ok(String::new());
    }
    st.charge(text.len() as u64 * 2 + 32)?;
    let mut iv = [0; BLOCK];
    st.host.random(&mut iv);
    let padding = BLOCK - text.len() % BLOCK;
    let mut padded = text.to_vec();
    padded.resize(text.len() + padding, padding as u8);
    let mut blocks = blocks(&padded);
    cbc::Encryptor::<Aes256>::new(&aes_key(&password).into(), &iv.into()).encrypt_blocks(&mut blocks);
    let mut out = iv.to_vec();
    out.extend(blocks.iter().flat_map(|b| b.iter().copied()));
    Ok(BASE64.encode(&out))
}

/// What is no such ciphertext makes Sprig's code panic; the texts are those of the panics.
fn decrypt_aes(st: &mut State, password: Str, text: Str) -> Result<Vec<u8>, CallError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    st.charge(text.len() as u64 * 2)?;
    let crypt = base64(&text).map_err(|at| CallError::Msg(format!("illegal base64 data at input byte {at}")))?;
    let capacity = text.len() / 4 * 3;
    if capacity < BLOCK {
        return Err(CallError::Msg(format!("runtime error: slice bounds out of range [:16] with capacity {capacity}")));
    }
    if crypt.len() < BLOCK {
        return Err(CallError::Msg(format!("runtime error: slice bounds out of range [16:{}]", crypt.len())));
    }
    let (iv, data) = crypt.split_at(BLOCK);
    if data.len() % BLOCK != 0 {
        return Err(CallError::msg("crypto/cipher: input not full blocks"));
    }
    let mut blocks = blocks(data);
    let mut vector = [0; BLOCK];
    vector.copy_from_slice(iv);
    cbc::Decryptor::<Aes256>::new(&aes_key(&password).into(), &vector.into()).decrypt_blocks(&mut blocks);
    let mut out: Vec<u8> = blocks.iter().flat_map(|b| b.iter().copied()).collect();
    let Some(&padding) = out.last() else {
        return Err(CallError::msg("runtime error: index out of range [-1]"));
    };
    match out.len().checked_sub(usize::from(padding)) {
        Some(n) => {
            out.truncate(n);
            Ok(out)
        }
        None => {
            let over = usize::from(padding) - out.len();
            Err(CallError::Msg(format!("runtime error: slice bounds out of range [:-{over}]")))
        }
    }
}

fn gen_private_key(st: &mut State, kind: Str) -> Result<Vec<u8>, CallError> {
    st.charge_steps(KEY_STEPS)?;
    Ok(match PrivateKey::generate(&*st.host, &kind, 4096) {
        Some(Ok(key)) => key.pem().into(),
        Some(Err(e)) => format!("failed to generate private key: {e}").into(),
        None => [b"Unknown type ".as_slice(), &kind].concat(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::gotmpl::{FixedHost, Limits};

    fn state() -> State {
        State::new(Arc::new(FixedHost::new(0, 7)), Limits::default())
    }

    #[test]
    fn derives_the_passwords_of_the_algorithm() {
        for (counter, kind, password, user, site, want) in [
            (1, "long", "password", "user", "example.com", "ZedaFaxcZaso9*"),
            (2, "long", "password", "user", "example.com", "Fovi2@JifpTupx"),
            (1, "pin", "password", "user", "example.com", "6685"),
            (1, "medium", "harbor", "ember", "cobalt.io", "Jix4@Xiv"),
            (0, "long", "a", "b", "c", "MepuQaco5%Qimw"),
            (1, "name", "a", "b", "c", "cannot find password template name"),
        ] {
            let got =
                derive_password(&mut state(), counter, kind.into(), password.into(), user.into(), site.into()).unwrap();
            assert_eq!(String::from_utf8(got).unwrap(), want);
        }
    }

    #[test]
    fn bcrypt_verifies() {
        let hash = bcrypt(&mut state(), b"secret").unwrap();
        assert_eq!(hash.len(), 60);
        assert!(::bcrypt::verify("secret", &hash).unwrap());
        assert!(bcrypt(&mut state(), &[b'x'; 73]).unwrap().starts_with("failed to encrypt"));
        assert_eq!(htpasswd(&mut state(), "a:b".into(), "x".into()).unwrap(), b"invalid username: a:b");
    }

    #[test]
    fn aes_both_ways() {
        let st = &mut state();
        for text in ["x", "sixteen bytes ..", "a longer text than a block has"] {
            let crypt = encrypt_aes(st, "key".into(), text.into()).unwrap();
            assert_eq!(decrypt_aes(st, "key".into(), crypt.into()).unwrap(), text.as_bytes());
        }
        let go = "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=";
        assert_eq!(decrypt_aes(st, "secretkey".into(), go.into()).unwrap(), b"plaintext");
        for (text, want) in [
            ("bad!", "illegal base64 data at input byte 3"),
            ("AAAA", "runtime error: slice bounds out of range [:16] with capacity 3"),
            ("AAAAAAAAAAAAAAAAAAAAAA==", "runtime error: index out of range [-1]"),
            ("AAAAAAAAAAAAAAAAAAAAAAAA", "crypto/cipher: input not full blocks"),
        ] {
            let got = decrypt_aes(st, "key".into(), text.into());
            assert!(matches!(&got, Err(CallError::Msg(m)) if m == want), "{text}: {got:?}");
        }
    }
}
