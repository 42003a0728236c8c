using Needs = Akvam.Cpu.Translator.EncodedCoverage.Needs;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Jumps at the block's start when registers are not held yet, where they go on, and what loads them.</summary>
    private readonly List<(int Jump, int Resume, nint Routine)> _loads = [];

    /// <summary>Known while emitting: which registers of the guest the host holds here.</summary>
    private Units _held;

    [Flags]
    private enum Units
    {
        None = 0,

        /// <summary>Vector registers and MXCSR.</summary>
        Vectors = 1,
        X87 = 2,
    }

    /// <summary>
    /// At the block's start, where the flags are in the state: registers that the block uses are held from here on; and MXCSR if it computes in floating point. When
    /// the guest unmasks an exception such a block is left to the interpreter, before anything of it was executed.
    /// </summary>
    private void EnterUnits()
    {
        _held = Units.None;
        _loads.Clear();
        Needs needs = Needs.Nothing;
        bool first = true;
        for (int n = 0; n < _block->Count; n++)
        {
            if (_forms[n] == Coverage.Form.Encoded)
            {
                needs |= first ? _needs[n] : _needs[n] & (Needs.Float | Needs.X87);
            }

            first &= _forms[n] != Coverage.Form.Interpreted;
        }

        if ((needs & Needs.Float) != 0)
        {
            EnterUnit(Units.Vectors, StateOffset.VectorsHeld, VectorRoutines.RegistersAndMxcsr, HostCondition.NotEqual, _routines.LoadFloat);
        }
        else if ((needs & Needs.Vectors) != 0)
        {
            EnterUnit(Units.Vectors, StateOffset.VectorsHeld, 0, HostCondition.Equal, _routines.LoadVectors);
        }

        if ((needs & Needs.X87) != 0)
        {
            EnterUnit(Units.X87, StateOffset.X87Held, 0, HostCondition.Equal, _routines.LoadX87);
        }
    }

    private void EnterUnit(Units unit, int held, int value, int condition, nint routine)
    {
        _e.AluImmediate(Compare, HostMemory.State(held), value, wide: false);
        int jump = _e.JumpIf(condition);
        _loads.Add((jump, _e.Position, routine));
        _held |= unit;
    }

    /// <summary>The jumps that are returned are taken when the guest unmasks an exception.</summary>
    private List<int> EmitLoads()
    {
        List<int> refused = [];
        foreach ((int jump, int resume, nint routine) in _loads)
        {
            _e.Patch(jump);
            _e.CallTo(routine);
            if (routine != _routines.LoadVectors)
            {
                refused.Add(_e.JumpIf(HostCondition.NotEqual));
            }

            _e.JumpBack(resume);
        }

        return refused;
    }

    /// <summary>After an instruction that was interpreted the registers are in the state again. What may unmask an exception has ended its block.</summary>
    private void NeedUnits(Needs needs)
    {
        Units missing = (((needs & Needs.Vectors) != 0 ? Units.Vectors : Units.None) | ((needs & Needs.X87) != 0 ? Units.X87 : Units.None)) & ~_held;
        if (missing != Units.None)
        {
            ForgetHostFlags();
            LoadUnits(missing);
            _held |= missing;
        }
    }

    private void LoadUnits(Units units)
    {
        if ((units & Units.Vectors) != 0)
        {
            _e.CallTo(_routines.LoadVectors);
        }

        if ((units & Units.X87) != 0)
        {
            _e.CallTo(_routines.LoadX87);
        }
    }
}
