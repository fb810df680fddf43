const std = @import("std");

/// A ring buffer.
pub const Ring = struct {
    items: []u8,
    len: usize = 0,

    pub fn init(items: []u8) Ring {
        const local = 1;
        return .{ .items = items };
    }
};

const Mode = enum { read, write };
const Err = error{ Full, Empty };
const Tag = union(enum) { a: u8, b: void };
pub var global: u32 = 1;

// Runs it.
pub fn main() !void {}

test "push and pop" {
    try std.testing.expect(true);
}
