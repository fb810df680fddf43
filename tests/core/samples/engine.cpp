#include <vector>
namespace game::core {

/// Moves things.
template <typename T>
class Engine : public Base {
 public:
  explicit Engine(int n);
  ~Engine();
  virtual void step(double dt) = 0;
  bool operator==(const Engine& o) const { return true; }
  T value() const { return v_; }
  struct Options { int a; };
 private:
  T v_;
  static constexpr int kMax = 5;
};

template <typename T>
Engine<T>::Engine(int n) : v_(n) {}

void Engine<int>::step(double dt) {
  auto f = [](int x) { return x; };
}
std::ostream& operator<<(std::ostream& os, const Engine<int>& e) { return os; }

using Ids = std::vector<int>;
enum class Color : int { Red, Green };
concept Small = true;
int free_function(int x);
constexpr int kAnswer = 42;
}  // namespace game::core

const std::string& Session::name() const { return name_; }
Session::~Session() {}
