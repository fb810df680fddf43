<?hh
namespace App\Models;
/** A model. */
class Model { const int MAX = 1; private int $p = 1; public function save(): void {} }
function helper(): void {}
enum E: int { A = 1; }
