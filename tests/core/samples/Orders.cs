using System;

namespace Shop.Orders;

/// <summary>An order.</summary>
[Serializable]
public class Order<T> : Base, IOrder
{
    private readonly int _count = 1, _other;
    public const int Max = 5;
    public event EventHandler Changed;
    public string Name { get; set; } = "";
    public int this[int i] => i;

    public Order(string name) { Name = name; }
    ~Order() { }

    [HttpGet("x")]
    public async Task<int> Total<U>(U by)
    {
        int local = 1;
        int Inner(int x) => x;
        return Inner(local);
    }
    public static Order<T> operator +(Order<T> a, Order<T> b) => a;
}

public interface IOrder { void Ship(); }
public record Line(int Qty);
public record struct Money(int Cents);
public struct Point { public int X; }
public enum State { Open, Closed }
public delegate void Handler(object sender);
