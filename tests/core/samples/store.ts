/** A key. */
export type Key = string | number;

export interface Store<T> extends Base {
  readonly size: number;
  get(key: Key): T | undefined;
}

export enum Mode { Read, Write = 'w' }

declare module 'x' {
  export function outer(a: number): void;
}
namespace Inner.Deep {
  export const x = 1;
}

@Injectable()
export abstract class Memory<T> implements Store<T> {
  private items = new Map<Key, T>();
  handler = (e: Event) => { this.items.clear(); };
  constructor(private readonly name: string) {}
  abstract close(): Promise<void>;
  get(key: Key): T | undefined { return this.items.get(key); }
}

export const create = <T,>(name: string): Store<T> => new Memory<T>(name);
declare const VERSION: string;
