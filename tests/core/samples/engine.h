#pragma once
class Engine {
 public:
  void run();
};
