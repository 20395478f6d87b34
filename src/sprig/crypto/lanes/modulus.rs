//! Arithmetic with eight large numbers at once, in limbs of 52 bits, which the CPU multiplies and adds by one instruction.
//!
//! Products are Montgomery's: of x and y comes x·y/R modulo n, with R = 2^(52·N). N is so many limbs that R is some times n: then what is
//! below 4·n stays so, and nothing ever has to be brought below n on the way.

use std::arch::x86_64::__m512i;

use super::LANES;

/// The bits of a limb.
pub const LIMB: usize = 52;
const MASK: u64 = (1 << LIMB) - 1;

pulp::simd_type! {
    /// Proof that the CPU has the instructions.
    pub struct Ifma {
        pub avx: "avx512f",
        pub short: "avx512vl",
        pub ifma: "avx512ifma",
    }
}

/// A limb of each number.
pub type Lanes = [u64; LANES];

/// Numbers in vectors: the lowest limbs first.
pub type Numbers<const N: usize> = [__m512i; N];

/// What eight numbers are counted modulo.
pub struct Modulus<const N: usize> {
    cpu: Ifma,
    n: Numbers<N>,
    /// −1/n modulo a limb.
    inverse: __m512i,
}

/// Two columns of a long multiplication, the second of the next higher limbs. A product has 104 bits: its upper half is for the next column.
/// A column takes at most 4·N halves of 52 bits, for which 64 are enough.
#[derive(Clone, Copy)]
struct Columns {
    low: [__m512i; 2],
    high: [__m512i; 2],
}

impl<const N: usize> Modulus<N> {
    /// The numbers are odd.
    #[inline(always)]
    pub fn new(cpu: Ifma, numbers: &[[u64; N]; LANES]) -> Self {
        let inverse: Lanes = numbers.map(|n| inverse_of(n[0]));
        Self { cpu, n: side_by_side(numbers), inverse: pulp::cast(inverse) }
    }

    /// x²/R, or twice that in the lanes of `double`: below 4·n, if x is.
    #[inline(always)]
    pub fn square(&self, x: &Numbers<N>, double: __m512i) -> Numbers<N> {
        self.reduced(double, &Square(x))
    }

    /// x·y/R: below 4·n, if both are.
    #[inline(always)]
    pub fn product(&self, x: &Numbers<N>, y: &Numbers<N>) -> Numbers<N> {
        self.reduced(self.cpu.avx._mm512_setzero_si512(), &Product(x, y))
    }

    /// A long multiplication, divided by R; twice that in the lanes of `double`.
    ///
    /// A multiple of n is added that makes the lower half nothing. Columns go in pairs, as then four sums grow side by side, which do not wait
    /// for each other; and what is carried comes in last, so that it is not waited for, either.
    #[inline(always)]
    fn reduced(&self, double: __m512i, multiplication: &impl Multiplication<N>) -> Numbers<N> {
        const { assert!(N.is_multiple_of(2)) };
        let (avx, n) = (self.cpu.avx, &self.n);
        let zero = avx._mm512_setzero_si512();
        let mut out = [zero; N];
        let mut multiple = [zero; N];
        // For the next column: what the lower halves carry, and the upper halves.
        let (mut carried, mut upper) = (zero, zero);
        for k in (0..N).step_by(2) {
            let mut sums = multiplication.columns(self, k);
            self.add(&mut sums, &multiple[..k], &n[1..k + 2]);
            for column in 0..2 {
                if column == 1 {
                    self.add_one(&mut sums, 1, multiple[k], n[1]);
                }
                let sum = self.plus(sums.low[column], self.plus(carried, upper));
                multiple[k + column] = self.cpu.ifma._mm512_madd52lo_epu64(zero, sum, self.inverse);
                sums.low[column] = sum;
                self.add_one(&mut sums, column, multiple[k + column], n[0]);
                carried = avx._mm512_srli_epi64::<52>(sums.low[column]);
                upper = sums.high[column];
            }
        }
        upper = self.plus(upper, carried);
        for k in (N..2 * N).step_by(2) {
            let mut sums = multiplication.columns(self, k);
            self.add(&mut sums, &multiple[k + 2 - N..], &n[k + 1 - N..]);
            self.add_one(&mut sums, 0, multiple[k + 1 - N], n[N - 1]);
            for column in 0..2 {
                let sum = self.plus(sums.low[column], upper);
                // What is for the next column is doubled there.
                out[k + column - N] = self.plus(sum, avx._mm512_and_si512(sum, double));
                upper = sums.high[column];
            }
        }
        let mask = avx._mm512_set1_epi64(MASK.cast_signed());
        let mut over = zero;
        for limb in &mut out {
            let sum = self.plus(*limb, over);
            *limb = avx._mm512_and_si512(sum, mask);
            over = avx._mm512_srli_epi64::<52>(sum);
        }
        out
    }

    #[inline(always)]
    fn nothing(&self) -> Columns {
        let zero = self.cpu.avx._mm512_setzero_si512();
        Columns { low: [zero; 2], high: [zero; 2] }
    }

    #[inline(always)]
    fn plus(&self, a: __m512i, b: __m512i) -> __m512i {
        self.cpu.avx._mm512_add_epi64(a, b)
    }

    /// Adds the product of two limbs to one of the columns.
    #[inline(always)]
    fn add_one(&self, sums: &mut Columns, column: usize, a: __m512i, b: __m512i) {
        sums.low[column] = self.cpu.ifma._mm512_madd52lo_epu64(sums.low[column], a, b);
        sums.high[column] = self.cpu.ifma._mm512_madd52hi_epu64(sums.high[column], a, b);
    }

    /// Adds to both columns the products of limbs of `a` from below with those of `b` from above, of which there is one more: the first column
    /// begins with the last but one of `b`, the second with the last.
    #[inline(always)]
    fn add(&self, sums: &mut Columns, a: &[__m512i], b: &[__m512i]) {
        let Some((last, b)) = b.split_last() else { return };
        let mut above = *last;
        for (a, b) in a.iter().zip(b.iter().rev()) {
            self.add_one(sums, 0, *a, *b);
            self.add_one(sums, 1, *a, above);
            above = *b;
        }
    }
}

/// A long multiplication, column by column.
trait Multiplication<const N: usize> {
    /// What the columns of an even place and of the next one come to.
    fn columns(&self, by: &Modulus<N>, k: usize) -> Columns;
}

struct Square<'a, const N: usize>(&'a Numbers<N>);

impl<const N: usize> Multiplication<N> for Square<'_, N> {
    #[inline(always)]
    fn columns(&self, by: &Modulus<N>, k: usize) -> Columns {
        let (x, half) = (self.0, k / 2);
        let mut sums = by.nothing();
        // Each product of two different limbs occurs twice.
        if k < N {
            by.add(&mut sums, &x[..half], &x[half + 1..k + 2]);
            by.add_one(&mut sums, 1, x[half], x[half + 1]);
        } else if half + 1 < N {
            by.add(&mut sums, &x[k + 2 - N..half], &x[half + 1..]);
            by.add_one(&mut sums, 0, x[k + 1 - N], x[N - 1]);
            by.add_one(&mut sums, 1, x[half], x[half + 1]);
        }
        for column in 0..2 {
            sums.low[column] = by.plus(sums.low[column], sums.low[column]);
            sums.high[column] = by.plus(sums.high[column], sums.high[column]);
        }
        by.add_one(&mut sums, 0, x[half], x[half]);
        sums
    }
}

struct Product<'a, const N: usize>(&'a Numbers<N>, &'a Numbers<N>);

impl<const N: usize> Multiplication<N> for Product<'_, N> {
    #[inline(always)]
    fn columns(&self, by: &Modulus<N>, k: usize) -> Columns {
        let Self(x, y) = self;
        let mut sums = by.nothing();
        if k < N {
            by.add(&mut sums, &x[..k + 1], &y[..k + 2]);
            by.add_one(&mut sums, 1, x[k + 1], y[0]);
        } else {
            by.add(&mut sums, &x[k + 2 - N..], &y[k + 1 - N..]);
            by.add_one(&mut sums, 0, x[k + 1 - N], y[N - 1]);
        }
        sums
    }
}

/// Eight numbers as vectors.
#[inline(always)]
pub fn side_by_side<const N: usize>(numbers: &[[u64; N]; LANES]) -> Numbers<N> {
    std::array::from_fn(|i| pulp::cast::<Lanes, _>(numbers.map(|n| n[i])))
}

/// The numbers of vectors one by one.
#[inline(always)]
pub fn one_by_one<const N: usize>(numbers: &Numbers<N>) -> [[u64; N]; LANES] {
    let limbs = numbers.map(pulp::cast::<_, Lanes>);
    std::array::from_fn(|lane| limbs.map(|limb| limb[lane]))
}

/// Words of 64 bits as limbs.
pub fn limbs<const N: usize>(words: &[u64]) -> [u64; N] {
    std::array::from_fn(|i| {
        let (word, bit) = (i * LIMB / 64, i * LIMB % 64);
        let at = |i: usize| u128::from(words.get(i).copied().unwrap_or(0));
        ((at(word) | at(word + 1) << 64) >> bit) as u64 & MASK
    })
}

/// A number and another, of so many limbs.
pub fn plus<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    let mut carry = 0;
    std::array::from_fn(|i| {
        let sum = a[i] + b[i] + carry;
        carry = sum >> LIMB;
        sum & MASK
    })
}

/// A number less another, if it is not the smaller one.
pub fn minus<const N: usize>(a: &[u64; N], b: &[u64; N]) -> Option<[u64; N]> {
    let mut borrowed = 0;
    let difference = std::array::from_fn(|i| {
        let limb = a[i].wrapping_sub(b[i]).wrapping_sub(borrowed);
        borrowed = limb >> 63;
        limb & MASK
    });
    (borrowed == 0).then_some(difference)
}

/// A number that is one limb.
pub const fn small<const N: usize>(limb: u64) -> [u64; N] {
    let mut number = [0; N];
    number[0] = limb;
    number
}

/// Is x, which is below 4·n, the same as y modulo n?
pub fn same<const N: usize>(x: &[u64; N], y: &[u64; N], n: &[u64; N]) -> bool {
    (0..4).any(|times| {
        let mut carry = 0;
        x.iter().zip(y).zip(n).all(|((x, y), n)| {
            let sum = times * n + y + carry;
            carry = sum >> LIMB;
            sum & MASK == *x
        })
    })
}

/// −1/n modulo a limb, of an odd n: each step of Newton's doubles the bits that are right, of which the first has three.
fn inverse_of(n: u64) -> u64 {
    let inverse = (0..5).fold(n, |inverse, _| inverse.wrapping_mul(2_u64.wrapping_sub(n.wrapping_mul(inverse))));
    inverse.wrapping_neg() & MASK
}
