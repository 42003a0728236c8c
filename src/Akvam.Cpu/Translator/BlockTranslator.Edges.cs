namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it; edges belong to the <see cref="CodeStore"/>.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    private readonly List<(nint Edge, int Jump)> _edges = [];

    /// <summary>The block ends here: on to a known address, directly as soon as there is host code.</summary>
    private void JumpToEdge(ulong target) => AddEdge(target, _e.Jump());

    private void JumpIfToEdge(int condition, ulong target) => AddEdge(target, _e.JumpIf(condition));

    private void CallEdge(ulong target) => AddEdge(target, _e.Call());

    private void AddEdge(ulong target, int jump, bool twin = false)
    {
        Edge* edge = _store.NewEdge();
        *edge = new Edge { Target = target, Site = _e.Origin + jump, Page = _block->Page, Back = target <= _block->Rip && !twin, Twin = twin };
        _edges.Add(((nint)edge, jump));
    }

    /// <summary>Where the edges lead at first.</summary>
    private void EmitStubs()
    {
        foreach ((nint address, int jump) in _edges)
        {
            var edge = (Edge*)address;
            edge->Stub = (int)(_e.Origin + _e.Position - edge->Site);
            _e.Patch(jump);
            _e.MoveImmediate(Scratch, (ulong)address);
            _e.JumpTo(_routines.LeaveByEdge);
        }
    }
}
