//! Shamir's secret sharing as HashiCorp's Vault has it: bytes in GF(2⁸) with AES's polynomial, a share's last byte is its x.

use zeroize::Zeroizing;

use super::cipher::{DataKey, Random};

fn multiply(a: u8, b: u8) -> u8 {
    // No branches and no tables on secret bytes.
    (0..8).rev().fold(0_u8, |acc, i| {
        let doubled = (acc << 1) ^ ((acc >> 7) * 0x1b);
        doubled ^ (((b >> i) & 1) * a)
    })
}

/// a to the power of 254; 0 for 0.
fn inverse(a: u8) -> u8 {
    (0..7)
        .fold((1, a), |(product, square), _| {
            let square = multiply(square, square);
            (multiply(product, square), square)
        })
        .0
}

/// Splits a secret into shares of which `threshold` are needed.
pub fn split(secret: &[u8], parts: usize, threshold: usize, random: Random<'_>) -> Result<Vec<DataKey>, String> {
    if parts < threshold {
        return Err("parts cannot be less than threshold".into());
    }
    if parts > 255 {
        return Err("parts cannot exceed 255".into());
    }
    if threshold < 2 {
        return Err("threshold must be at least 2".into());
    }
    if secret.is_empty() {
        return Err("cannot split an empty secret".into());
    }
    let xs: Vec<u8> = (1..=u8::MAX).take(parts).collect();
    let mut shares: Vec<DataKey> = xs.iter().map(|_| Zeroizing::new(Vec::with_capacity(secret.len() + 1))).collect();
    let mut coefficients = Zeroizing::new(vec![0; threshold - 1]);
    for byte in secret {
        if !random(&mut coefficients) {
            return Err("failed to generate polynomial".into());
        }
        for (x, share) in xs.iter().zip(&mut shares) {
            let above = coefficients.iter().rev().fold(0, |acc, c| multiply(acc, *x) ^ c);
            share.push(multiply(above, *x) ^ byte);
        }
    }
    for (x, share) in xs.iter().zip(&mut shares) {
        share.push(*x);
    }
    Ok(shares)
}

/// Puts shares together again.
pub fn combine(parts: &[DataKey]) -> Result<DataKey, String> {
    let Some(length) = parts.first().map(|p| p.len()).filter(|_| parts.len() >= 2) else {
        return Err("less than two parts cannot be used to reconstruct the secret".into());
    };
    if length < 2 {
        return Err("parts must be at least two bytes".into());
    }
    if parts.iter().any(|p| p.len() != length) {
        return Err("all parts must be the same length".into());
    }
    let xs: Vec<u8> = parts.iter().filter_map(|p| p.last().copied()).collect();
    if xs.iter().enumerate().any(|(i, x)| xs.iter().skip(i + 1).any(|y| x == y)) {
        return Err("duplicate part detected".into());
    }
    // Lagrange's basis at 0: subtraction is addition is exclusive or.
    let weight = |i: usize, x: u8| {
        let others = xs.iter().enumerate().filter(|(j, _)| *j != i);
        others.fold(1, |w, (_, other)| multiply(w, multiply(*other, inverse(x ^ other))))
    };
    let weights: Vec<u8> = xs.iter().enumerate().map(|(i, x)| weight(i, *x)).collect();
    let byte = |at: usize| {
        parts.iter().zip(&weights).fold(0, |acc, (p, w)| acc ^ multiply(p.get(at).copied().unwrap_or(0), *w))
    };
    Ok(Zeroizing::new((0..length - 1).map(byte).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_two_of_three_shares_open_it() {
        assert!((1..=255).all(|a| multiply(a, inverse(a)) == 1));
        let random = |bytes: &mut [u8]| getrandom::fill(bytes).is_ok();
        let secret = [7, 0, 255, 42];
        let shares = split(&secret, 3, 2, &random).unwrap();
        for (a, b) in [(0, 1), (1, 2), (0, 2)] {
            let pair = [shares[a].clone(), shares[b].clone()];
            assert_eq!(*combine(&pair).unwrap(), secret);
        }
        assert_eq!(combine(&shares[..1]).unwrap_err(), "less than two parts cannot be used to reconstruct the secret");
        assert_eq!(combine(&[shares[0].clone(), shares[0].clone()]).unwrap_err(), "duplicate part detected");
    }
}
