//! Decimal arithmetic for `addf` and its kin: shopspring/decimal 1.4, as far as Sprig uses it.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

/// Digits after the point of a quotient: shopspring's `DivisionPrecision`.
const DIVISION_PRECISION: i64 = 16;

/// `value * 10^exp`
#[derive(Clone, Debug)]
pub(super) struct Decimal {
    value: BigInt,
    exp: i64,
}

fn ten_to(n: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(n).unwrap_or(0))
}

impl Decimal {
    /// The decimal with the fewest digits that reads back as this float; Go panics on infinities and NaN.
    pub(super) fn from_float(f: f64) -> Result<Self, String> {
        if !f.is_finite() {
            let f = if f.is_nan() {
                "NaN"
            } else if f > 0.0 {
                "+Inf"
            } else {
                "-Inf"
            };
            return Err(format!("Cannot create a Decimal from {f}"));
        }
        // "-1.25e-7": the shortest digits, as Go's roundShortest finds them.
        let text = format!("{f:e}");
        let (mantissa, exp) = text.split_once('e').unwrap_or((&text, "0"));
        let fraction = mantissa.split_once('.').map_or(0, |(_, f)| f.len() as i64);
        let digits = mantissa.replace('.', "");
        Ok(Self { value: digits.parse().unwrap_or_default(), exp: exp.parse::<i64>().unwrap_or(0) - fraction })
    }

    /// The nearest float; infinite if there is none.
    pub(super) fn to_float(&self) -> f64 {
        if self.value.sign() == Sign::NoSign {
            return 0.0;
        }
        // Rust reads decimal texts with one correct rounding, which is what big.Rat's Float64 does.
        format!("{}e{}", self.value, self.exp).parse().unwrap_or(f64::NAN)
    }

    /// Both values at the smaller exponent of the two.
    fn rescaled(&self, other: &Self) -> (BigInt, BigInt, i64) {
        let exp = self.exp.min(other.exp);
        (&self.value * ten_to(self.exp - exp), &other.value * ten_to(other.exp - exp), exp)
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let (a, b, exp) = self.rescaled(other);
        Self { value: a + b, exp }
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        let (a, b, exp) = self.rescaled(other);
        Self { value: a - b, exp }
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        Self { value: &self.value * &other.value, exp: self.exp + other.exp }
    }

    /// The quotient to sixteen digits after the point, halves away from zero.
    pub(super) fn div(&self, other: &Self) -> Result<Self, &'static str> {
        if other.value.sign() == Sign::NoSign {
            return Err("decimal division by 0");
        }
        let e = self.exp - other.exp + DIVISION_PRECISION;
        let (a, b, rest_exp) = if e < 0 {
            (self.value.clone(), &other.value * ten_to(-e), self.exp)
        } else {
            (&self.value * ten_to(e), other.value.clone(), other.exp - DIVISION_PRECISION)
        };
        let quotient = &a / &b;
        let rest = &a % &b;
        let twice = Self { value: BigInt::from(rest.magnitude().clone()) * 2, exp: rest_exp + DIVISION_PRECISION };
        let abs = Self { value: BigInt::from(other.value.magnitude().clone()), exp: other.exp };
        let (x, y, _) = twice.rescaled(&abs);
        let quotient = match x.cmp(&y) {
            Ordering::Less => quotient,
            _ if (self.value.sign() == Sign::Minus) != (other.value.sign() == Sign::Minus)
                && self.value.sign() != Sign::NoSign =>
            {
                quotient - 1
            }
            _ => quotient + 1,
        };
        Ok(Self { value: quotient, exp: -DIVISION_PRECISION })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(f: f64) -> Decimal {
        Decimal::from_float(f).unwrap()
    }

    #[test]
    fn sums_are_decimal() {
        assert_eq!(d(0.1).add(&d(0.2)).to_float(), 0.3);
        assert_eq!(d(1e300).sub(&d(1e-300)).to_float(), 1e300);
        assert_eq!(d(1.1).mul(&d(1.1)).to_float(), 1.21);
        assert_eq!(d(1e300).mul(&d(1e300)).to_float(), f64::INFINITY);
    }

    #[test]
    fn quotients_have_sixteen_places() {
        assert_eq!(d(2.0).div(&d(3.0)).unwrap().to_float(), 0.666_666_666_666_666_7);
        assert_eq!(d(-2.0).div(&d(3.0)).unwrap().to_float(), -0.666_666_666_666_666_7);
        assert_eq!(d(1e-20).div(&d(3.0)).unwrap().to_float(), 0.0);
        assert!(d(1.0).div(&d(0.0)).is_err());
    }

    #[test]
    fn infinities_are_refused() {
        assert_eq!(Decimal::from_float(f64::INFINITY).unwrap_err(), "Cannot create a Decimal from +Inf");
    }
}
