using Needs = Akvam.Cpu.Translator.EncodedCoverage.Needs;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Known while emitting: the host holds the guest's vector registers here.</summary>
    private bool _vectors;

    /// <summary>The jump at the block's start when vectors are not held yet, where it goes on, and what loads them.</summary>
    private (int Jump, int Resume, nint Routine) _vectorEntry;

    /// <summary>
    /// At the block's start, where the flags are in the state: vector registers are held from here on if the block uses them; and MXCSR if it computes in floating
    /// point. When the guest unmasks an exception such a block is left to the interpreter, before anything of it was executed.
    /// </summary>
    private void EnterVectors()
    {
        _vectors = false;
        _vectorEntry = default;
        Needs needs = Needs.Nothing;
        bool first = true;
        for (int n = 0; n < _block->Count; n++)
        {
            if (_forms[n] == Coverage.Form.Encoded)
            {
                needs |= first ? _needs[n] : _needs[n] & Needs.Float;
            }

            first &= _forms[n] != Coverage.Form.Interpreted;
        }

        if ((needs & (Needs.Float | Needs.Vectors)) == 0)
        {
            return;
        }

        bool floats = (needs & Needs.Float) != 0;
        _e.Op(0x83, Compare, HostMemory.State(StateOffset.VectorsHeld), wide: false);
        _e.U8(floats ? VectorRoutines.RegistersAndMxcsr : 0);
        int jump = _e.JumpIf(floats ? HostCondition.NotEqual : HostCondition.Equal);
        _vectorEntry = (jump, _e.Position, floats ? _routines.LoadFloat : _routines.LoadVectors);
        _vectors = true;
    }

    /// <summary>The jump that is returned is taken when the guest unmasks an exception; 0: there is none.</summary>
    private void EmitVectorEntry(out int unmasked)
    {
        unmasked = 0;
        if (_vectorEntry.Jump == 0)
        {
            return;
        }

        _e.Patch(_vectorEntry.Jump);
        _e.CallTo(_vectorEntry.Routine);
        if (_vectorEntry.Routine == _routines.LoadFloat)
        {
            unmasked = _e.JumpIf(HostCondition.NotEqual);
        }

        _e.JumpBack(_vectorEntry.Resume);
    }

    /// <summary>After an instruction that was interpreted the registers are in the state again.</summary>
    private void NeedVectors()
    {
        if (!_vectors)
        {
            ForgetHostFlags();
            _e.CallTo(_routines.LoadVectors);
            _vectors = true;
        }
    }
}
