interface Props { items: string[] }

/** A list. */
export function List({ items }: Props): JSX.Element {
  return <ul>{items.map((i) => <li key={i}>{i}</li>)}</ul>;
}
export const Empty: React.FC = () => <p>none</p>;
