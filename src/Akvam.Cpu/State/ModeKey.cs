namespace Akvam.Cpu.State;

/// <summary>
/// What decoding and the legality of instructions depend on. A block runs only under the key it was decoded for, so handlers never check these again.
/// </summary>
[Flags]
public enum ModeKey : uint
{
    None = 0,
    Code16 = 0,
    Code32 = 1,
    Code64 = 2,
    BitnessMask = 3,
    Protected = 1 << 2,
    Virtual8086 = 1 << 3,
    Cpl0 = 1 << 4,
    Cpl3 = 1 << 5,

    /// <summary>CR0.TS, CR0.EM, CR0.MP.</summary>
    Ts = 1 << 6,
    Em = 1 << 7,
    Mp = 1 << 8,
    OsFxsr = 1 << 9,
    OsXsave = 1 << 10,

    /// <summary>XCR0 enables both SSE and AVX state.</summary>
    AvxEnabled = 1 << 11,

    /// <summary>EFER.LMA.</summary>
    LongMode = 1 << 12,
    Smm = 1 << 13,
    GuestMode = 1 << 14,
    Svme = 1 << 15,
    FsGsBase = 1 << 16,
    Pke = 1 << 17,
    Sce = 1 << 18,

    /// <summary>Not 64-bit code, and CS has a base or a limit below 4 GiB: where a block is depends on both.</summary>
    CsNotFlat = 1 << 19,

    /// <summary>32-bit stack (SS.B) outside 64-bit mode.</summary>
    Stack32 = 1 << 20,

    /// <summary>CR4.OSXMMEXCPT.</summary>
    OsXmmExcpt = 1 << 21,

    /// <summary>CR4.UMIP at CPL above 0.</summary>
    Umip = 1 << 22,

    /// <summary>Flat 32-bit data: DS, ES and SS have base 0 and limit 4 GiB and are ordinary writable data.</summary>
    FlatData = 1 << 23,
}
