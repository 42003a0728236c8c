using System.Collections.Frozen;
using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>The requests of a kind of file, by number.</summary>
internal sealed class IoctlTable<TFile>(params IoctlRow<TFile>[] rows)
    where TFile : KvmFile
{
    private readonly FrozenDictionary<uint, IoctlRow<TFile>> _rows = rows.ToFrozenDictionary(row => row.Request);

    public IEnumerable<IoctlRow<TFile>> Rows => _rows.Values;

    /// <summary>ENOTTY for a request that is not there.</summary>
    public long Run(TFile file, uint request, ulong argument) =>
        _rows.TryGetValue(request, out IoctlRow<TFile>? row) ? row.Handle(file, argument) : -(long)Errno.ENOTTY;
}
