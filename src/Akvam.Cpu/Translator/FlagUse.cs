using Akvam.Cpu.Flags;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <summary>
/// The arithmetic flags an instruction reads, and those it gives a new value whatever its operands are; <see cref="Clear"/>: of these, the ones that are clear whatever the
/// host makes of them (<see cref="UndefinedFlags"/>).
/// </summary>
internal readonly record struct FlagUse(RflagsBits Reads, RflagsBits Writes, RflagsBits Clear = RflagsBits.None)
{
    public const RflagsBits All = RflagsBits.OF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.CF | RflagsBits.PF;

    /// <summary>The interpreter's handler of this instruction neither reads nor changes an arithmetic flag, nor pushes them.</summary>
    public static bool IsNone(in Instruction x) => x.FlowControl == FlowControl.Next
        && ((x.RflagsRead == RflagsBits.None && x.RflagsModified == RflagsBits.None && x.Mnemonic is not (Mnemonic.Lahf or Mnemonic.Sahf or Mnemonic.Pushf or Mnemonic.Pushfd or Mnemonic.Pushfq))
            || x.Code is >= Code.Mov_r32_cr and <= Code.Mov_tr_r32);

    /// <summary>A shift whose count only the host knows: one of 0 leaves the flags alone.</summary>
    public bool DependsOnCount => Clear != 0 && Reads == All;

    /// <summary>Of an instruction that is emitted again.</summary>
    public static FlagUse Of(in Instruction x)
    {
        var use = new FlagUse(x.RflagsRead & All, x.RflagsModified & All, UndefinedFlags.Clear(x));
        switch (x.Mnemonic)
        {
            // A count of 0 keeps all flags; with CL only the host knows.
            case Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Shld or Mnemonic.Shrd:
                int count = x.OpCount - 1;
                if (x.GetOpKind(count) != OpKind.Immediate8)
                {
                    return new FlagUse(All, All, use.Clear);
                }

                int size = x.Op0Kind == OpKind.Register ? x.Op0Register.GetSize() : x.MemorySize.GetSize();
                return (x.GetImmediate(count) & (size == 8 ? 63u : 31u)) == 0 ? default : use;
            case Mnemonic.Rcl or Mnemonic.Rcr:
                return new FlagUse(All, All);

            // What the manuals call undefined stays as it was on processors.
            case Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc:
                return new FlagUse(All, All);
            default:
                return use;
        }
    }
}
