import 'dart:core';

/// A widget.
@immutable
class Widget extends Base with Mixed implements Shown {
  final int size;
  static const max = 5;
  Widget(this.size);
  Widget.named(this.size);
  factory Widget.make() => Widget(1);
  int get width => size;
  set height(int h) {}

  // Builds.
  @override
  String build(Context c) {
    final local = 1;
    void inner() {}
    return '$local';
  }
  static int count() => 1;
  Widget operator +(Widget o) => this;
}

mixin Mixed on Base {}
extension Shouting on String {
  String shout() => toUpperCase();
}
enum Color { red, green }
typedef Callback = void Function(int);
abstract class Shown { void show(); }

void main() {
  print('x');
}
const version = '1';
var counter = 0;
