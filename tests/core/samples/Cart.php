<?php
declare(strict_types=1);

namespace App\Shop;

use App\Base;

/**
 * A cart.
 */
#[Entity]
final class Cart extends Base implements Countable
{
    use Named;
    public const MAX = 10;
    private array $items = [];
    public function __construct(private readonly string $name) {}

    /** Adds an item. */
    public function add(Item $item): static
    {
        $local = function () { return 1; };
        return $this;
    }
}

interface Countable { public function count(): int; }
trait Named { protected $label; }
enum Suit: string { case Hearts = 'H'; }
function helper(int $x): int { return $x; }
const VERSION = '1';
