// Shows a panel.
export const Panel = ({ title }) => {
  return <div className="panel">{title}</div>;
};

export default function App() {
  return (
    <Panel title="x">
      {/* inside */}
    </Panel>
  );
}
