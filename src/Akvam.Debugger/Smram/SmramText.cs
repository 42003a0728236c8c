namespace Akvam.Debugger.Smram;

/// <summary>Fields' values in words.</summary>
public static class SmramText
{
    private static readonly (int Bit, string Name)[] s_cr0 =
        [(0, "PE"), (1, "MP"), (2, "EM"), (3, "TS"), (4, "ET"), (5, "NE"), (16, "WP"), (18, "AM"), (29, "NW"), (30, "CD"), (31, "PG")];

    private static readonly (int Bit, string Name)[] s_cr4 =
    [
        (0, "VME"), (1, "PVI"), (2, "TSD"), (3, "DE"), (4, "PSE"), (5, "PAE"), (6, "MCE"), (7, "PGE"), (8, "PCE"), (9, "OSFXSR"), (10, "OSXMMEXCPT"), (11, "UMIP"), (12, "LA57"), (13, "VMXE"),
        (14, "SMXE"), (16, "FSGSBASE"), (17, "PCIDE"), (18, "OSXSAVE"), (20, "SMEP"), (21, "SMAP"), (22, "PKE"), (23, "CET"),
    ];

    private static readonly (int Bit, string Name)[] s_efer = [(0, "SCE"), (8, "LME"), (10, "LMA"), (11, "NXE"), (12, "SVME"), (13, "LMSLE"), (14, "FFXSR"), (15, "TCE")];

    private static readonly (int Bit, string Name)[] s_rflags =
    [
        (0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"), (11, "OF"), (14, "NT"), (16, "RF"), (17, "VM"), (18, "AC"), (19, "VIF"), (20, "VIP"), (21, "ID"),
    ];

    private static readonly (int Bit, string Name)[] s_dr6 = [(0, "B0"), (1, "B1"), (2, "B2"), (3, "B3"), (13, "BD"), (14, "BS"), (15, "BT")];

    private static readonly (int Bit, string Name)[] s_dr7 =
        [(0, "L0"), (1, "G0"), (2, "L1"), (3, "G1"), (4, "L2"), (5, "G2"), (6, "L3"), (7, "G3"), (8, "LE"), (9, "GE"), (13, "GD")];

    /// <summary>What a field's value means, or nothing.</summary>
    public static string Meaning(SmramField field, ulong value)
    {
        ArgumentNullException.ThrowIfNull(field);
        return field.Kind switch
        {
            SmramFieldKind.Cr0 => Bits(s_cr0, value),
            SmramFieldKind.Cr4 => Bits(s_cr4, value),
            SmramFieldKind.Efer => Bits(s_efer, value),
            SmramFieldKind.Rflags => $"{Bits(s_rflags, value)}{((value >> 12 & 3) != 0 ? $" IOPL={value >> 12 & 3}" : "")}".Trim(),
            SmramFieldKind.Dr6 => Bits(s_dr6, value),
            SmramFieldKind.Dr7 => Bits(s_dr7, value),
            SmramFieldKind.Shadow => value switch { 0 => "", 1 => "after MOV SS", 2 => "after STI", _ => "after MOV SS or STI" },
            SmramFieldKind.Revision => Revision(value),
            SmramFieldKind.Rights => Rights(value),
            _ => "",
        };
    }

    /// <summary>The mode that the image resumes.</summary>
    public static string Mode(SmramImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        ulong cr0 = image["CR0"], flags = image[image.Format == SmramFormat.Amd64 ? "RFLAGS" : "EFLAGS"], cs = image["CS.rights"];
        bool paging = (cr0 & 1ul << 31) != 0;
        string size = (cs & 1 << 14) != 0 ? "32-bit" : "16-bit";
        return (cr0 & 1) == 0 ? "real mode"
            : paging && (image["EFER"] & 1 << 8) != 0 ? (cs & 1 << 13) != 0 ? "64-bit mode" : $"{size} compatibility mode"
            : (flags & 1 << 17) != 0 ? $"virtual-8086 mode{(paging ? ", paging" : "")}"
            : $"{size} protected mode{(paging ? ", paging" : "")}";
    }

    /// <summary>Attributes in words: "code, readable, 64-bit, DPL 0".</summary>
    private static string Rights(ulong rights)
    {
        if ((rights & 0x80) == 0)
        {
            return (rights & 0x60) != 0 ? $"not present, DPL {rights >> 5 & 3}" : "not present";
        }

        bool ordinary = (rights & 0x10) != 0, code = (rights & 8) != 0;
        string kind = !ordinary ? $"system, type {rights & 15:x}"
            : code ? $"{((rights & 4) != 0 ? "conforming " : "")}code{((rights & 2) != 0 ? ", readable" : "")}"
            : $"{((rights & 4) != 0 ? "expand-down " : "")}data{((rights & 2) != 0 ? ", writable" : "")}";
        string size = !ordinary ? "" : code && (rights & 1 << 13) != 0 ? ", 64-bit" : (rights & 1 << 14) != 0 ? ", 32-bit" : ", 16-bit";
        return $"{kind}{size}, DPL {rights >> 5 & 3}{((rights & 1 << 12) != 0 ? ", AVL" : "")}";
    }

    private static string Revision(ulong value) =>
        $"{((value & 0xFFFF) == 0x64 ? "64-bit map" : "32-bit map")}{((value & 1 << 16) != 0 ? ", I/O restart" : "")}{((value & 1 << 17) != 0 ? ", SMBASE may move" : "")}";

    private static string Bits((int Bit, string Name)[] names, ulong value) => string.Join(' ', names.Where(n => (value >> n.Bit & 1) != 0).Select(n => n.Name));
}
