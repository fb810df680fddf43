//! Shapes.
use std::fmt;

/// A point.
#[derive(Debug, Clone)]
pub struct Point<T> {
    x: T,
    pub y: T,
}

pub enum Shape { Circle(f64), Rect { w: f64 } }

pub trait Area {
    type Unit;
    const ZERO: f64;
    /// The area.
    fn area(&self) -> f64;
    fn twice(&self) -> f64 { self.area() * 2.0 }
}

impl<T: Copy> Point<T> {
    pub const ORIGIN: i32 = 0;
    pub fn new(x: T, y: T) -> Self {
        let local = 1;
        Self { x, y }
    }
}

impl<'a, T> fmt::Display for Point<T> where T: fmt::Display {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result { Ok(()) }
}

static GLOBAL: u8 = 1;
type Alias = Vec<u8>;
union Bits { a: u32, b: f32 }

macro_rules! square { ($x:expr) => { $x * $x }; }

#[cfg(test)]
mod tests {
    #[test]
    fn it_works() {}
}
