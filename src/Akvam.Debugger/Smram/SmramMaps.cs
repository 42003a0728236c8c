using System.Collections.Immutable;
using static Akvam.Debugger.Smram.SmramFieldKind;

namespace Akvam.Debugger.Smram;

/// <summary>The fields of each format. The offsets are typed from the manuals' tables, as those of the processor are, and a test compares the two.</summary>
public static class SmramMaps
{
    private static readonly string[] s_segments = ["ES", "CS", "SS", "DS", "FS", "GS"];
    private static readonly string[] s_wide = ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];
    private static readonly string[] s_narrow = ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"];

    private static readonly ImmutableArray<SmramField> s_amd64 = MakeAmd64();
    private static readonly ImmutableArray<SmramField> s_kvm32 = [.. Common32(RightsPacking.Descriptor), new("I/O restart EIP", 0xFF10, 4), new("interrupt shadow", 0xFF1A, 1, Shadow), new("pending debug traps", 0xFF24, 2, Dr6)];
    private static readonly ImmutableArray<SmramField> s_qemu32 = [.. Common32(RightsPacking.Dword), new("I/O restart EIP", 0xFF10, 4)];
    private static readonly ImmutableArray<SmramField> s_bochs32 = [.. Common32(RightsPacking.WordAndValid), new("EFER", 0xFF10, 4, Efer)];
    private static readonly ImmutableArray<SmramField> s_p6 =
    [
        .. Common32(RightsPacking.Word), new("I/O restart EIP", 0xFF10, 4), new("A20M#", 0xFF18, 2), new("SMM status", 0xFF1E, 2), new("CPL", 0xFF20, 1), new("shutdown", 0xFF23, 1),
        new("alternative DR6", 0xFF24, 2), new("RSM control", 0xFF26, 2), new("segment status", 0xFF28, 4),
    ];

    /// <summary>The format's fields.</summary>
    public static ImmutableArray<SmramField> Fields(SmramFormat format) => format switch
    {
        SmramFormat.Amd64 => s_amd64,
        SmramFormat.Kvm32 => s_kvm32,
        SmramFormat.Qemu32 => s_qemu32,
        SmramFormat.Bochs32 => s_bochs32,
        _ => s_p6,
    };

    /// <summary>The format's field of this name, or null.</summary>
    public static SmramField? Find(SmramFormat format, string name) => Fields(format).FirstOrDefault(f => f.Name == name);

    /// <summary>AMD64's map. [APM2 10.2.3]</summary>
    private static ImmutableArray<SmramField> MakeAmd64()
    {
        List<SmramField> map = [];
        for (int n = 0; n < 16; n++)
        {
            map.Add(new(s_wide[n], 0xFFF8 - (8 * n), 8));
        }

        map.AddRange(
        [
            new("RIP", 0xFF78, 8), new("RFLAGS", 0xFF70, 8, Rflags), new("CR0", 0xFF58, 8, Cr0), new("CR3", 0xFF50, 8), new("CR4", 0xFF48, 8, Cr4), new("EFER", 0xFED0, 8, Efer),
            new("DR6", 0xFF68, 8, Dr6), new("DR7", 0xFF60, 8, Dr7), new("SMBASE", 0xFF00, 4), new("revision", 0xFEFC, 4, Revision), new("interrupt shadow", 0xFECB, 1, Shadow), new("pending debug traps", 0xFECC, 4, Dr6),
            new("I/O instruction restart", 0xFEC8, 1), new("auto-halt restart", 0xFEC9, 1), new("NMI mask", 0xFECA, 1), new("I/O trap", 0xFEC0, 4), new("local SMI status", 0xFEC4, 4),
            new("I/O restart RIP", 0xFEA0, 8), new("I/O restart RCX", 0xFEA8, 8), new("I/O restart RSI", 0xFEB0, 8), new("I/O restart RDI", 0xFEB8, 8), new("SSP", 0xFF18, 8),
            new("SVM guest flag", 0xFED8, 8), new("SVM guest VMCB", 0xFEE0, 8), new("SVM virtual interrupt", 0xFEE8, 8), new("SVM guest PAT", 0xFF20, 8), new("SVM host EFER", 0xFF28, 8),
            new("SVM host CR4", 0xFF30, 8), new("SVM host nested CR3", 0xFF38, 8), new("SVM host CR0", 0xFF40, 8),
        ]);
        for (int n = 0; n < s_segments.Length; n++)
        {
            AddRecord64(map, s_segments[n], 0xFE00 + (16 * n));
        }

        AddRecord64(map, "LDTR", 0xFE70);
        AddRecord64(map, "TR", 0xFE90);
        map.AddRange([new("GDTR.limit", 0xFE64, 4, Limit), new("GDTR.base", 0xFE68, 8, Base), new("IDTR.limit", 0xFE84, 4, Limit), new("IDTR.base", 0xFE88, 8, Base)]);
        return [.. map];
    }

    private static void AddRecord64(List<SmramField> map, string name, int at) => map.AddRange(
        [new($"{name}.selector", at, 2, Selector), new($"{name}.rights", at + 2, 2, Rights), new($"{name}.limit", at + 4, 4, Limit), new($"{name}.base", at + 8, 8, Base)]);

    /// <summary>What the 32-bit maps have in common: every place, but not how attributes are stored there. [SDM3 31.4.1]</summary>
    private static List<SmramField> Common32(RightsPacking packing)
    {
        List<SmramField> map = [];
        for (int n = 0; n < s_narrow.Length; n++)
        {
            map.Add(new(s_narrow[n], 0xFFD0 + (4 * n), 4));
        }

        map.AddRange(
        [
            new("EIP", 0xFFF0, 4), new("EFLAGS", 0xFFF4, 4, Rflags), new("CR0", 0xFFFC, 4, Cr0), new("CR3", 0xFFF8, 4), new("CR4", 0xFF14, 4, Cr4), new("DR6", 0xFFCC, 4, Dr6),
            new("DR7", 0xFFC8, 4, Dr7), new("SMBASE", 0xFEF8, 4), new("revision", 0xFEFC, 4, Revision), new("I/O instruction restart", 0xFF00, 2), new("auto-halt restart", 0xFF02, 2),
            new("I/O restart EDI", 0xFF04, 4), new("I/O restart ECX", 0xFF08, 4), new("I/O restart ESI", 0xFF0C, 4),
        ]);
        for (int n = 0; n < s_segments.Length; n++)
        {
            AddRecord32(map, s_segments[n], n < 3 ? 0xFF84 + (12 * n) : 0xFF2C + (12 * (n - 3)), 0xFFA8 + (4 * n), packing);
        }

        AddRecord32(map, "LDTR", 0xFF78, 0xFFC0, packing);
        AddRecord32(map, "TR", 0xFF5C, 0xFFC4, packing);
        map.AddRange([new("GDTR.limit", 0xFF70, 4, Limit), new("GDTR.base", 0xFF74, 4, Base), new("IDTR.limit", 0xFF54, 4, Limit), new("IDTR.base", 0xFF58, 4, Base)]);
        return map;
    }

    private static void AddRecord32(List<SmramField> map, string name, int at, int selector, RightsPacking packing)
    {
        bool inWord = packing is RightsPacking.Word or RightsPacking.WordAndValid;
        map.AddRange(
        [
            new($"{name}.selector", selector, 2, Selector), new($"{name}.rights", inWord ? at + 2 : at, inWord ? 2 : 4, Rights, packing), new($"{name}.limit", at + 4, 4, Limit),
            new($"{name}.base", at + 8, 4, Base),
        ]);
        if (inWord)
        {
            map.Add(new($"{name} selector again", at, 2, CopyOf: $"{name}.selector"));
        }
    }
}
