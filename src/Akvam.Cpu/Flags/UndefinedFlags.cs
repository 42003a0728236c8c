using Iced.Intel;

namespace Akvam.Cpu.Flags;

/// <summary>
/// The arithmetic flags that the manuals leave undefined. Processors differ here, also those of one vendor, and hosts with them; both engines follow one rule, so that a
/// guest's state depends on nothing but the guest:
/// <list type="bullet">
/// <item>they are clear (AF of shifts; SF, ZF, AF and PF of products; what BSF, BSR, LZCNT, TZCNT, AND, BLSR… leave open);</item>
/// <item>except OF of shifts and rotates by more than 1, which is computed as for a count of 1,</item>
/// <item>and those of BT, BTS, BTR, BTC and of divisions, which stay as they were.</item>
/// </list>
/// </summary>
internal static class UndefinedFlags
{
    /// <summary>
    /// Flags that are clear after an instruction, whatever the host that executes it makes of them. All hosts clear AF with AND, OR, XOR and TEST, and none touches a flag
    /// with a count of 0.
    /// </summary>
    public static RflagsBits Clear(in Instruction x) => x.Mnemonic switch
    {
        Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Shld or Mnemonic.Shrd => RflagsBits.AF,
        Mnemonic.And or Mnemonic.Or or Mnemonic.Xor or Mnemonic.Test
            or Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc
            or Mnemonic.Rol or Mnemonic.Ror or Mnemonic.Rcl or Mnemonic.Rcr
            or Mnemonic.Div or Mnemonic.Idiv => RflagsBits.None,
        _ => x.RflagsUndefined & (RflagsBits.OF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.CF | RflagsBits.PF),
    };

    /// <summary>
    /// True when hosts differ in more than flags to clear: the result of SHLD and SHRD of 16 bits by 16 and more, and OF of RCL and RCR by more than 1.
    /// </summary>
    public static bool HostsDiffer(in Instruction x)
    {
        int count = x.OpCount - 1;
        bool immediate = x.OpCount > 1 && x.GetOpKind(count) == OpKind.Immediate8;
        return x.Mnemonic switch
        {
            Mnemonic.Shld or Mnemonic.Shrd => Size(x) == 2 && !(immediate && (x.GetImmediate(count) & 31) < 16),
            Mnemonic.Rcl or Mnemonic.Rcr => !(immediate && x.GetImmediate(count) == 1),
            _ => false,
        };
    }

    private static int Size(in Instruction x) => x.Op0Kind == OpKind.Register ? x.Op0Register.GetSize() : x.MemorySize.GetSize();
}
