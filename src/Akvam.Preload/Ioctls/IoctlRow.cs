namespace Akvam.Preload;

/// <summary>One request of a kind of file.</summary>
/// <param name="Request">One of KvmIoctl: number, direction and size at once.</param>
/// <param name="Size">Bytes that are copied from or to the argument; 0 if it is a value, or followed by an array.</param>
/// <param name="Handle">File and argument to result; an errno is thrown, or a negative result.</param>
internal sealed record IoctlRow<TFile>(uint Request, int Size, Func<TFile, ulong, long> Handle)
    where TFile : KvmFile;
