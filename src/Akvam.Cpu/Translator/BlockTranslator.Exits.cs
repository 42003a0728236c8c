using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it. A conditional jump in the middle of a block leaves it when it is taken; what that needs is done on the way out, behind the block.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>A jump out of the middle, and where the flags are there: to be stored, in the host's RFLAGS only, or in the state.</summary>
    private readonly record struct SideExit(int Jump, int Number, Deferred? Deferred, bool InState, RflagsBits Clear);

    private readonly List<SideExit> _exits = [];

    private void EmitSideExit(int n)
    {
        NeedHostFlags(_uses[n].Reads);
        _exits.Add(new SideExit(_e.JumpIf(Condition(n)), n, _deferred, _inState, _clear));
    }

    private int Condition(int n)
    {
        Interpreter.Insn* i = Insn(n);
        return new GuestBytes(new ReadOnlySpan<byte>(Interpreter.Block.Code(_block) + i->Offset, i->Length), _code64).Opcode & 15;
    }

    private void EmitSideExits()
    {
        foreach (SideExit exit in _exits)
        {
            _e.Patch(exit.Jump);
            if (exit.Deferred is { } deferred)
            {
                EmitStores(deferred);
            }
            else if (!exit.InState)
            {
                SaveImage(exit.Clear);
            }

            _e.AluImmediate(Add, HostRegister.Left, _block->Count - exit.Number - 1);
            JumpToEdge(Target(exit.Number));
        }
    }
}
