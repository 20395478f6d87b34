//! Numbers (Sprig `numeric.go`): integers that wrap around, floats by way of decimals, and sequences.

use super::convert::{charge_items, fail, sprint, to_float64, to_int64};
use super::decimal::Decimal;
use crate::golang::strconv;
use crate::gotmpl::{CallError, FuncTable, Int, Rest, State, func, pure};
use crate::value::{Elem, List, ListId, Str, Value};

pub fn register(table: &mut FuncTable) {
    table.add(pure("atoi", atoi));
    table.add(pure("int64", |v: Value| to_int64(&v)));
    table.add(pure("int", |v: Value| Int(to_int64(&v))));
    table.add(pure("float64", |v: Value| to_float64(&v)));
    table.add(func("toDecimal", to_decimal));

    table.add(pure("add1", |v: Value| to_int64(&v).wrapping_add(1)));
    table.add(pure("add", |v: Rest<Value>| v.0.iter().fold(0i64, |a, b| a.wrapping_add(to_int64(b)))));
    table.add(pure("sub", |a: Value, b: Value| to_int64(&a).wrapping_sub(to_int64(&b))));
    table
        .add(pure("mul", |a: Value, v: Rest<Value>| v.0.iter().fold(to_int64(&a), |a, b| a.wrapping_mul(to_int64(b)))));
    table.add(pure("div", |a: Value, b: Value| divide(&a, &b, i64::wrapping_div)));
    table.add(pure("mod", |a: Value, b: Value| divide(&a, &b, i64::wrapping_rem)));
    for name in ["max", "biggest"] {
        table.add(pure(name, |a: Value, v: Rest<Value>| v.0.iter().map(to_int64).fold(to_int64(&a), i64::max)));
    }
    table.add(pure("min", |a: Value, v: Rest<Value>| v.0.iter().map(to_int64).fold(to_int64(&a), i64::min)));

    table.add(pure("add1f", |a: Value| decimals(&a, &[Value::Int(1)], |a, b| Ok(a.add(b)))));
    table.add(pure("addf", |v: Rest<Value>| decimals(&Value::Float(0.0), &v.0, |a, b| Ok(a.add(b)))));
    table.add(pure("subf", |a: Value, v: Rest<Value>| decimals(&a, &v.0, |a, b| Ok(a.sub(b)))));
    table.add(pure("mulf", |a: Value, v: Rest<Value>| decimals(&a, &v.0, |a, b| Ok(a.mul(b)))));
    table.add(pure("divf", |a: Value, v: Rest<Value>| decimals(&a, &v.0, Decimal::div)));
    table.add(pure("maxf", |a: Value, v: Rest<Value>| v.0.iter().map(to_float64).fold(to_float64(&a), max)));
    table.add(pure("minf", |a: Value, v: Rest<Value>| v.0.iter().map(to_float64).fold(to_float64(&a), min)));
    table.add(pure("ceil", |v: Value| to_float64(&v).ceil()));
    table.add(pure("floor", |v: Value| to_float64(&v).floor()));
    table.add(pure("round", round));

    table.add(func("until", |st: &mut State, n: Int| until_step(st, Int(0), n, Int(if n.0 < 0 { -1 } else { 1 }))));
    table.add(func("untilStep", until_step));
    table.add(func("seq", seq));
}

/// `strconv.Atoi` with its error thrown away: 0 for what is no number, the nearest `int` for what is too big.
fn atoi(s: Str) -> Int {
    let Ok(text) = std::str::from_utf8(&s) else { return Int(0) };
    if let Ok(n) = strconv::atoi(text) {
        return Int(n);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    Int(match digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() {
        true if text.starts_with('-') => i64::MIN,
        true => i64::MAX,
        false => 0,
    })
}

/// `toDecimal`: an octal number in, for file modes.
fn to_decimal(st: &mut State, v: Value) -> Result<i64, CallError> {
    let text = sprint(st, &v)?;
    Ok(std::str::from_utf8(&text).ok().and_then(|s| strconv::parse_int(s, 8, 64).ok()).unwrap_or(0))
}

fn divide(a: &Value, b: &Value, op: fn(i64, i64) -> i64) -> Result<i64, CallError> {
    match (to_int64(a), to_int64(b)) {
        (_, 0) => fail("runtime error: integer divide by zero"),
        (a, b) => Ok(op(a, b)),
    }
}

/// Sprig's `execDecimalOp`: each number is made a float, each float a decimal, and the end a float again.
fn decimals(
    first: &Value,
    rest: &[Value],
    op: impl Fn(&Decimal, &Decimal) -> Result<Decimal, &'static str>,
) -> Result<f64, CallError> {
    let mut sum = Decimal::from_float(to_float64(first)).map_err(CallError::Msg)?;
    for v in rest {
        let d = Decimal::from_float(to_float64(v)).map_err(CallError::Msg)?;
        sum = op(&sum, &d).map_err(CallError::msg)?;
    }
    Ok(sum.to_float())
}

/// Go's `math.Max`: infinity before NaN, and +0 over -0.
fn max(x: f64, y: f64) -> f64 {
    if x == f64::INFINITY || y == f64::INFINITY {
        f64::INFINITY
    } else if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if x == 0.0 && y == 0.0 {
        if x.is_sign_negative() { y } else { x }
    } else if x > y {
        x
    } else {
        y
    }
}

/// Go's `math.Min`
fn min(x: f64, y: f64) -> f64 {
    if x == f64::NEG_INFINITY || y == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if x == 0.0 && y == 0.0 {
        if x.is_sign_negative() { x } else { y }
    } else if x < y {
        x
    } else {
        y
    }
}

/// Go's `math.Pow(10, places)` for a whole number of places: its own squaring of mantissas, so that the last bit is Go's too.
fn pow10(places: i64) -> f64 {
    // 10 = 0.625 * 2^4, Go's Frexp.
    let (mut mant, mut exp) = (0.625f64, 4i64);
    let (mut out, mut out_exp) = (1.0f64, 0i64);
    match places {
        0 => return 1.0,
        1 => return 10.0,
        _ => {}
    }
    let mut n = places.unsigned_abs();
    while n != 0 {
        if !(-4096..=4096).contains(&exp) {
            out_exp += exp;
            break;
        }
        if n & 1 == 1 {
            out *= mant;
            out_exp += exp;
        }
        mant *= mant;
        exp <<= 1;
        if mant < 0.5 {
            mant += mant;
            exp -= 1;
        }
        n >>= 1;
    }
    if places < 0 {
        out = 1.0 / out;
        out_exp = -out_exp;
    }
    ldexp(out, out_exp)
}

/// `frac * 2^exp`, rounded once, as Go's `math.Ldexp`.
fn ldexp(frac: f64, exp: i64) -> f64 {
    let exp = exp.clamp(-5000, 5000) as i32;
    // Two steps so that the factor itself stays a normal number; the first is exact, so only the last one rounds.
    if exp > 1000 {
        frac * 2f64.powi(1000) * 2f64.powi(exp - 1000)
    } else if exp < -900 {
        frac * 2f64.powi(-900) * 2f64.powi(exp + 900)
    } else {
        frac * 2f64.powi(exp)
    }
}

/// `round N PLACES [ON]`, in floats and with their surprises: `round 123.555 2` is 123.56, `round -1.5 0` is -1.
fn round(v: Value, places: Int, on: Rest<f64>) -> f64 {
    let on = on.0.first().copied().unwrap_or(0.5);
    let pow = pow10(places.0);
    let digit = pow * to_float64(&v);
    // Go's Modf gives the fraction of an infinity as NaN, like the subtraction here.
    let frac = digit - digit.trunc();
    let rounded = if frac >= on { digit.ceil() } else { digit.floor() };
    rounded / pow
}

/// How many numbers `untilStep` has.
fn steps(start: i64, stop: i64, step: i64) -> u64 {
    let span = i128::from(stop) - i128::from(start);
    let step = i128::from(step);
    if step == 0 || span == 0 || (span > 0) != (step > 0) {
        return 0;
    }
    // Rounded up; both have the same sign.
    u64::try_from((span.abs() + step.abs() - 1) / step.abs()).unwrap_or(u64::MAX)
}

fn until_step(st: &mut State, start: Int, stop: Int, step: Int) -> Result<ListId, CallError> {
    let n = steps(start.0, stop.0, step.0);
    charge_items(st, usize::try_from(n).unwrap_or(usize::MAX))?;
    let items = (0..n as i64).map(|i| Value::Int(start.0.wrapping_add(i.wrapping_mul(step.0)))).collect();
    Ok(st.heap.add_grown_list(List { elem: Elem::Int, nil: false, items }))
}

/// `seq [FIRST [STEP]] LAST` as the shell has it, as one text with spaces between.
fn seq(st: &mut State, params: Rest<Int>) -> Result<String, CallError> {
    let sign = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, step, end) = match params.0[..] {
        [Int(end)] => (1, sign(1, end), end),
        [Int(start), Int(end)] => (start, sign(start, end), end),
        [Int(start), Int(step), Int(end)] if !(end < start && step > 0) => (start, step, end),
        _ => return Ok(String::new()),
    };
    let stop = end.wrapping_add(sign(start, end));
    let n = steps(start, stop, step);
    // The longest number has twenty digits, and most have few; what is not used is not made either.
    let width = 1
        + start.unsigned_abs().max(stop.unsigned_abs()).checked_ilog10().unwrap_or(0)
        + u32::from(start < 0 || stop < 0);
    st.charge(n.saturating_mul(u64::from(width) + 1))?;
    let mut out = String::new();
    for i in 0..n as i64 {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(&start.wrapping_add(i.wrapping_mul(step)).to_string());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_are_go_s() {
        assert_eq!(pow10(2), 100.0);
        assert_eq!(pow10(-1), 0.1);
        assert_eq!(pow10(22), 1e22);
        assert_eq!(pow10(400), f64::INFINITY);
        assert_eq!(pow10(-400), 0.0);
    }

    #[test]
    fn steps_are_counted() {
        for (args, want) in [
            ((0, 3, 1), 3),
            ((0, 3, 2), 2),
            ((0, -3, -1), 3),
            ((0, 3, -1), 0),
            ((3, 3, 1), 0),
            ((i64::MIN, i64::MAX, 1), u64::MAX),
        ] {
            assert_eq!(steps(args.0, args.1, args.2), want, "{args:?}");
        }
    }

    #[test]
    fn atoi_keeps_the_value_of_a_range_error() {
        for (s, want) in
            [("12", 12), ("-99999999999999999999", i64::MIN), ("99999999999999999999", i64::MAX), ("1_0", 0), ("", 0)]
        {
            assert_eq!(atoi(s.into()), Int(want), "{s}");
        }
    }
}
